"""Twin of minibert.ops.add_norm: residual, dropout and layer normalisation in one pass over each row."""

from typing import NamedTuple

import numpy as np
from minibert.kernels.checks import check_like
from minibert.kernels.compile import as_rows, kernel, tasks
from minibert.kernels.dropout import draw, keep
from minibert.kernels.norm import CHUNK, LayerNormCache, check_scale, norm_backward, normalise
from numba import prange

from minibert.frozen import is_frozen


class AddNormCache(NamedTuple):
    norm: LayerNormCache  # its x is the sum, residual + dropout(x)
    rate: float
    key: int | None


def add_norm(
    x: np.ndarray, residual: np.ndarray, gamma: np.ndarray, beta: np.ndarray, eps: float, rate: float, key: int | None
) -> tuple[np.ndarray, AddNormCache]:
    """y = layer_norm(residual + dropout(x)), all (..., D). Strided operands are copied first."""
    check_like("the residual", residual, x)
    rows = as_rows(x)  # (N, D)
    trains = not is_frozen(gamma), not is_frozen(beta)
    gamma, beta = check_scale(x, gamma, beta)
    total, y = np.empty_like(rows), np.empty_like(rows)
    mean, rstd = np.empty((2, len(rows)), rows.dtype)
    dropout = draw(rate, key, rows.size)
    _forward(rows.dtype)(rows, as_rows(residual), gamma, beta, eps, *dropout, total, y, mean, rstd)
    return y.reshape(x.shape), AddNormCache(LayerNormCache(total, mean, rstd, gamma, trains), rate, key)


def add_norm_backward(
    dy: np.ndarray, cache: AddNormCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
    """dy (..., D)  ->  dx = m * dresidual and dresidual (..., D), dgamma (D,), dbeta (D,)."""
    dx = np.empty_like(cache.norm.x)  # (N, D)
    dresidual, dgamma, dbeta = norm_backward(dy, cache.norm, dx, cache.rate, cache.key)
    return dx.reshape(dy.shape), dresidual, dgamma, dbeta


@kernel("r2 r2 r1 r1 f u u u f w2 w2 w1 w1")
def _forward(x, residual, gamma, beta, eps, key_low, key_high, threshold, scale, total, y, mean, rstd):
    N, D = x.shape
    scale, zero = x.dtype.type(scale), x.dtype.type(0)
    for task in prange(tasks(N, CHUNK)):
        for i in range(task * CHUNK, min(N, (task + 1) * CHUNK)):
            if threshold == 0:  # nothing is dropped: spare the hashes
                for j in range(D):
                    total[i, j] = residual[i, j] + x[i, j]
            else:
                for j in range(D):
                    kept = keep(key_low, key_high, i * D + j, threshold)
                    total[i, j] = residual[i, j] + x[i, j] * (scale if kept else zero)
            mean[i], rstd[i] = normalise(total[i], gamma, beta, eps, y[i])  # the sum is still in cache
