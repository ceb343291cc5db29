"""Residual connection with dropout and layer normalisation (Vaswani et al. 2017, section 5.4)."""

from typing import NamedTuple

import numpy as np

from minibert.dispatch import op
from minibert.ops.dropout import DropoutCache, dropout, dropout_backward
from minibert.ops.norm import LayerNormCache, layer_norm, layer_norm_backward


class AddNormCache(NamedTuple):
    dropout: DropoutCache
    norm: LayerNormCache


@op
def add_norm(
    x: np.ndarray, residual: np.ndarray, gamma: np.ndarray, beta: np.ndarray, eps: float, rate: float, key: int | None
) -> tuple[np.ndarray, AddNormCache]:
    """y = layer_norm(residual + dropout(x)).

    x and residual (..., D), gamma (D,), beta (D,)  ->  y (..., D), cache.

    x is what a sublayer computed from `residual`. This is post-norm, BERT's order: the
    normalisation stands after the addition.
    """
    dropped, dropout_cache = dropout(x, rate, key)
    y, norm_cache = layer_norm(residual + dropped, gamma, beta, eps)
    return y, AddNormCache(dropout_cache, norm_cache)


@op
def add_norm_backward(
    dy: np.ndarray, cache: AddNormCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
    """dy (..., D)  ->  dx and dresidual (..., D), dgamma (D,), dbeta (D,).

    The sum hands its gradient to both terms unchanged: this is the short way by which
    gradients reach the lowest layers.
    """
    dresidual, dgamma, dbeta = layer_norm_backward(dy, cache.norm)
    return dropout_backward(dresidual, cache.dropout), dresidual, dgamma, dbeta
