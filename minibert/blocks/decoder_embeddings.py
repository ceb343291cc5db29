"""The input of GPT and GPT-2: token and position vectors (Radford et al. 2018, equation 2)."""

from typing import NamedTuple

import numpy as np

from minibert.blocks.token_vectors import TokenVectorsCache, token_vectors, token_vectors_backward
from minibert.frozen import all_frozen, frozen
from minibert.ops import dropout, dropout_backward, embedding, embedding_backward
from minibert.ops.dropout import DropoutCache
from minibert.ops.embedding import EmbeddingCache
from minibert.tree import Tree


class DecoderEmbeddingsCache(NamedTuple):
    token: TokenVectorsCache
    position: EmbeddingCache
    dropout: DropoutCache


def decoder_embeddings(
    input_ids: np.ndarray, position_ids: np.ndarray, p: Tree, rate: float, key: int | None
) -> tuple[np.ndarray, DecoderEmbeddingsCache]:
    """x = dropout(E_token[input_ids] + E_position[position_ids]).

    input_ids (B, T), position_ids (T,) or (B, T), p {token (V, D), position (P, D)}  ->  x (B, T, D), cache.
    x is Frozen if all of p is.
    """
    token, token_cache = token_vectors(input_ids, p)  # (B, T, D)
    position, position_cache = embedding(position_ids, p["position"])  # (T, D) or (B, T, D)
    x, dropout_cache = dropout(token + position, rate, key)  # (B, T, D)
    return frozen(x) if all_frozen(p) else x, DecoderEmbeddingsCache(token_cache, position_cache, dropout_cache)


def decoder_embeddings_backward(
    dx: np.ndarray | None, cache: DecoderEmbeddingsCache, dtoken: np.ndarray | None = None
) -> Tree:
    """dx (B, T, D)  ->  gradients of p; that of the token table is added to `dtoken`, if it is given.

    None for dx: nothing here may train.
    """
    if dx is None:
        return {}
    dsum = dropout_backward(dx, cache.dropout)  # (B, T, D)
    shared = cache.position.ids.ndim == 1  # one row of positions served every sequence of the batch
    return {
        **token_vectors_backward(dsum, cache.token, dtoken),
        "position": embedding_backward(dsum.sum(0) if shared else dsum, cache.position),
    }
