"""Layer normalisation (Ba, Kiros & Hinton 2016, arXiv:1607.06450)."""

from typing import NamedTuple

import numpy as np

from minibert.dispatch import op
from minibert.frozen import is_frozen


class LayerNormCache(NamedTuple):
    xhat: np.ndarray  # (..., D) the input, centred and scaled to unit variance
    rstd: np.ndarray  # (..., 1) 1 / sqrt(var + eps)
    gamma: np.ndarray  # (D,)
    beta: np.ndarray  # (D,)


@op
def layer_norm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, eps: float) -> tuple[np.ndarray, LayerNormCache]:
    """y = gamma * xhat + beta,  xhat = (x - mean) / sqrt(var + eps), over the last axis.

    x (..., D), gamma (D,), beta (D,)  ->  y (..., D), cache. var is the biased variance.
    """
    centred = x - x.mean(-1, keepdims=True)  # (..., D)
    rstd = 1 / np.sqrt((centred * centred).mean(-1, keepdims=True) + eps)  # (..., 1)
    xhat = centred * rstd  # (..., D)
    return gamma * xhat + beta, LayerNormCache(xhat, rstd, gamma, beta)


@op
def layer_norm_backward(
    dy: np.ndarray, cache: LayerNormCache
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """dy (..., D)  ->  dx (..., D), dgamma (D,), dbeta (D,).

    xhat depends on x directly, through the mean and through the variance. With
    g = gamma * dy = dL/dxhat, the three paths add up to

        dx = rstd * (g - mean(g) - xhat * mean(g * xhat))

    : g loses its component along the constant vector (the mean) and along xhat
    (the variance), because moving x along either leaves y as it is. None for what is Frozen.
    """
    xhat, rstd, gamma, beta = cache
    rows = tuple(range(dy.ndim - 1))
    g = gamma * dy  # (..., D)
    dx = rstd * (g - g.mean(-1, keepdims=True) - xhat * (g * xhat).mean(-1, keepdims=True))  # (..., D)
    dgamma = None if is_frozen(gamma) else (dy * xhat).sum(rows)  # (D,)
    dbeta = None if is_frozen(beta) else dy.sum(rows)  # (D,)
    return dx, dgamma, dbeta
