"""The input of BERT: token, position and segment vectors (Devlin et al. 2018, section 3, figure 2)."""

from typing import NamedTuple

import numpy as np

from minibert.blocks.token_vectors import TokenVectorsCache, token_vectors, token_vectors_backward
from minibert.frozen import all_frozen, frozen
from minibert.ops import dropout, dropout_backward, embedding, embedding_backward, layer_norm, layer_norm_backward
from minibert.ops.dropout import DropoutCache
from minibert.ops.embedding import EmbeddingCache
from minibert.ops.norm import LayerNormCache
from minibert.tree import Tree


class EmbeddingsCache(NamedTuple):
    token: TokenVectorsCache
    position: EmbeddingCache
    segment: EmbeddingCache
    norm: LayerNormCache
    dropout: DropoutCache


def embeddings(
    input_ids: np.ndarray,
    token_type_ids: np.ndarray,
    position_ids: np.ndarray,
    p: Tree,
    eps: float,
    rate: float,
    key: int | None,
) -> tuple[np.ndarray, EmbeddingsCache]:
    """x = dropout(LayerNorm(E_token[input_ids] + E_position[position_ids] + E_segment[token_type_ids])).

    input_ids and token_type_ids (B, T), position_ids (T,) or (B, T),
    p {token (V, D), position (P, D), segment (2, D), norm}  ->  x (B, T, D), cache. x is Frozen if all of p is.
    """
    token, token_cache = token_vectors(input_ids, p)  # (B, T, D)
    position, position_cache = embedding(position_ids, p["position"])  # (T, D) or (B, T, D)
    segment, segment_cache = embedding(token_type_ids, p["segment"])  # (B, T, D)
    normed, norm_cache = layer_norm(token + position + segment, **p["norm"], eps=eps)  # (B, T, D)
    x, dropout_cache = dropout(normed, rate, key)
    return frozen(x) if all_frozen(p) else x, EmbeddingsCache(
        token_cache, position_cache, segment_cache, norm_cache, dropout_cache
    )


def embeddings_backward(dx: np.ndarray | None, cache: EmbeddingsCache, dtoken: np.ndarray | None = None) -> Tree:
    """dx (B, T, D)  ->  gradients of p; that of the token table is added to `dtoken`, if it is given.

    None for dx: nothing here may train.
    """
    if dx is None:
        return {}
    dsum, dgamma, dbeta = layer_norm_backward(dropout_backward(dx, cache.dropout), cache.norm)  # (B, T, D)
    shared = cache.position.ids.ndim == 1  # one row of positions served every sequence of the batch
    return {
        **token_vectors_backward(dsum, cache.token, dtoken),
        "position": embedding_backward(dsum.sum(0) if shared else dsum, cache.position),
        "segment": embedding_backward(dsum, cache.segment),
        "norm": {"gamma": dgamma, "beta": dbeta},
    }
