"""The input of GPT and GPT-2: token and position vectors (Radford et al. 2018, equation 2)."""

from typing import NamedTuple

import numpy as np

from minibert.ops import dropout, dropout_backward, embedding, embedding_backward
from minibert.ops.dropout import DropoutCache
from minibert.ops.embedding import EmbeddingCache
from minibert.tree import Tree


class DecoderEmbeddingsCache(NamedTuple):
    token: EmbeddingCache
    position: EmbeddingCache
    dropout: DropoutCache


def decoder_embeddings(
    input_ids: np.ndarray, position_ids: np.ndarray, p: Tree, rate: float, key: int | None
) -> tuple[np.ndarray, DecoderEmbeddingsCache]:
    """x = dropout(E_token[input_ids] + E_position[position_ids]).

    input_ids (B, T), position_ids (T,) or (B, T), p {token (V, D), position (P, D)}  ->  x (B, T, D), cache.
    """
    token, token_cache = embedding(input_ids, p["token"])  # (B, T, D)
    position, position_cache = embedding(position_ids, p["position"])  # (T, D) or (B, T, D)
    x, dropout_cache = dropout(token + position, rate, key)  # (B, T, D)
    return x, DecoderEmbeddingsCache(token_cache, position_cache, dropout_cache)


def decoder_embeddings_backward(
    dx: np.ndarray, cache: DecoderEmbeddingsCache, dtoken: np.ndarray | None = None
) -> Tree:
    """dx (B, T, D)  ->  gradients of p; that of the token table is added to `dtoken`, if it is given."""
    dsum = dropout_backward(dx, cache.dropout)  # (B, T, D)
    shared = cache.position.ids.ndim == 1  # one row of positions served every sequence of the batch
    return {
        "token": embedding_backward(dsum, cache.token, dtoken),
        "position": embedding_backward(dsum.sum(0) if shared else dsum, cache.position),
    }
