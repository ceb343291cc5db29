"""Vectors of tokens, and of the virtual tokens of prompt tuning, if there are any (Lester et al. 2021)."""

from typing import NamedTuple

import numpy as np

from minibert.ops import embedding, embedding_backward
from minibert.ops.embedding import EmbeddingCache
from minibert.tree import Tree


class TokenVectorsCache(NamedTuple):
    token: EmbeddingCache
    prompt: EmbeddingCache | None
    virtual: np.ndarray | None  # (B, T) which ids are virtual tokens


def known_ids(p: Tree) -> int:
    """Return how many ids have a vector: the vocabulary's, and behind it those of the virtual tokens."""
    return len(p["token"]) + len(p.get("prompt", ()))


def token_vectors(input_ids: np.ndarray, p: Tree) -> tuple[np.ndarray, TokenVectorsCache]:
    """E_token[id], or E_prompt[id - V] for the virtual tokens V, V + 1, ..., as if the one table continued the other.

    input_ids (B, T), p {token (V, D)} and perhaps prompt (n, D)  ->  x (B, T, D), cache.
    """
    if "prompt" not in p:
        x, cache = embedding(input_ids, p["token"])  # (B, T, D)
        return x, TokenVectorsCache(cache, None, None)
    V = len(p["token"])
    virtual = input_ids >= V  # (B, T)
    x, token = embedding(np.where(virtual, 0, input_ids), p["token"])  # (B, T, D)
    x[virtual], prompt = embedding(input_ids[virtual] - V, p["prompt"])  # (N, D)
    return x, TokenVectorsCache(token, prompt, virtual)


def token_vectors_backward(dx: np.ndarray, cache: TokenVectorsCache, dtoken: np.ndarray | None = None) -> Tree:
    """dx (B, T, D)  ->  gradients of the tables; that of the token table is added to `dtoken`, if it is given."""
    token, prompt, virtual = cache
    if prompt is None:
        return {"token": embedding_backward(dx, token, dtoken)}
    dprompt = embedding_backward(dx[virtual], prompt)  # (n, D)
    real = np.where(virtual[..., None], 0, dx)  # (B, T, D) the stand-in id 0 of a virtual token receives nothing
    return {"token": embedding_backward(real.astype(dx.dtype, copy=False), token, dtoken), "prompt": dprompt}
