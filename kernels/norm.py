"""Twin of minibert.ops.norm: a row is fetched from memory once and finished while it lies in the first-level cache."""

from typing import NamedTuple

import numpy as np
from minibert.kernels.checks import check_like, check_one_dtype, check_shape
from minibert.kernels.compile import as_rows, inline, kernel, tasks
from minibert.kernels.dropout import draw, keep
from numba import prange

from minibert.frozen import is_frozen

CHUNK = 64  # rows a task; fixed, so that sums do not depend on the number of threads


class LayerNormCache(NamedTuple):
    """The reference keeps xhat; x is there already, so keeping it and two numbers a row saves writing an array."""

    x: np.ndarray  # (N, D)
    mean: np.ndarray  # (N,)
    rstd: np.ndarray  # (N,) 1 / sqrt(var + eps)
    gamma: np.ndarray  # (D,)
    trains: tuple[bool, bool]  # do gamma and beta want a gradient?


def layer_norm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, eps: float) -> tuple[np.ndarray, LayerNormCache]:
    """y = gamma * (x - mean) / sqrt(var + eps) + beta, over the last axis. A strided x is copied first."""
    rows = as_rows(x)  # (N, D)
    trains = not is_frozen(gamma), not is_frozen(beta)
    gamma, beta = check_scale(x, gamma, beta)
    y = np.empty_like(rows)
    mean, rstd = np.empty((2, len(rows)), rows.dtype)
    _forward(rows.dtype)(rows, gamma, beta, eps, y, mean, rstd)
    return y.reshape(x.shape), LayerNormCache(rows, mean, rstd, gamma, trains)


def layer_norm_backward(
    dy: np.ndarray, cache: LayerNormCache
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """dy (..., D)  ->  dx (..., D), dgamma (D,), dbeta (D,)."""
    return norm_backward(dy, cache)


def check_scale(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return gamma and beta (D,), contiguous; raise if they do not fit x (..., D)."""
    for name, values in (("gamma", gamma), ("beta", beta)):
        check_shape(name, values, x.shape[-1:])
        check_one_dtype(f"x and {name}", (x, values))
    return np.ascontiguousarray(gamma), np.ascontiguousarray(beta)


def norm_backward(
    dy: np.ndarray, cache: LayerNormCache, dropped: np.ndarray | None = None, rate: float = 0.0, key: int | None = None
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """dy (..., D)  ->  dx (..., D), dgamma (D,), dbeta (D,); fills `dropped` (N, D) with m * dx if it is given.

    dgamma and dbeta come out of the one sweep over the rows, at no cost; if they are not wanted they are dropped.
    """
    rows = as_rows(dy)  # (N, D)
    check_like("dy", rows, cache.x)
    N, D = rows.shape
    dx = np.empty_like(rows)
    partial = np.zeros((2, tasks(N, CHUNK), D), rows.dtype)  # dgamma and dbeta of each task
    if dropped is None:
        dropped = rows[:0].copy()
    *saved, trains = cache
    _backward(rows.dtype)(rows, *saved, *draw(rate, key, rows.size), dx, dropped, partial)
    sums = partial.sum(1)  # (2, D), added in the order of the tasks
    dgamma, dbeta = (total if wanted else None for total, wanted in zip(sums, trains, strict=True))  # (D,) each
    return dx.reshape(dy.shape), dgamma, dbeta


@kernel("r2 r1 r1 f w2 w1 w1")
def _forward(x, gamma, beta, eps, y, mean, rstd):
    N = len(x)
    for task in prange(tasks(N, CHUNK)):
        for i in range(task * CHUNK, min(N, (task + 1) * CHUNK)):
            mean[i], rstd[i] = normalise(x[i], gamma, beta, eps, y[i])


@inline
def normalise(x, gamma, beta, eps, y):
    """y = the normalised row x; return its mean and 1 / standard deviation. After the first loop x is in cache."""
    dtype = x.dtype.type
    D = len(x)
    total = dtype(0)
    for j in range(D):
        total += x[j]
    mean = dtype(total / D)
    total = dtype(0)
    for j in range(D):
        centred = x[j] - mean
        total += centred * centred
    rstd = dtype(1 / np.sqrt(total / D + eps))
    for j in range(D):
        y[j] = gamma[j] * ((x[j] - mean) * rstd) + beta[j]
    return mean, rstd


@kernel("r2 r2 r1 r1 r1 u u u f w2 w2 w3")
def _backward(dy, x, mean, rstd, gamma, key_low, key_high, threshold, scale, dx, dropped, partial):
    N, D = dy.shape
    scale, zero = dy.dtype.type(scale), dy.dtype.type(0)
    for task in prange(partial.shape[1]):
        for i in range(task * CHUNK, min(N, (task + 1) * CHUNK)):
            _backward_row(dy[i], x[i], mean[i], rstd[i], gamma, dx[i], partial[0, task], partial[1, task])
            if len(dropped) and threshold == 0:
                for j in range(D):
                    dropped[i, j] = dx[i, j]
            elif len(dropped):
                for j in range(D):
                    kept = keep(key_low, key_high, i * D + j, threshold)
                    dropped[i, j] = dx[i, j] * (scale if kept else zero)


@inline
def _backward_row(dy, x, mean, rstd, gamma, dx, dgamma, dbeta):
    """One row of dx; its share of dgamma and dbeta, which stay in cache from row to row, is added to them."""
    dtype = dy.dtype.type
    D = len(dy)
    sum_g = sum_gx = dtype(0)
    for j in range(D):
        xhat = (x[j] - mean) * rstd
        g = gamma[j] * dy[j]
        sum_g += g
        sum_gx += g * xhat
        dgamma[j] += dy[j] * xhat
        dbeta[j] += dy[j]
    mean_g, mean_gx = dtype(sum_g / D), dtype(sum_gx / D)
    for j in range(D):
        xhat = (x[j] - mean) * rstd
        dx[j] = rstd * (gamma[j] * dy[j] - mean_g - xhat * mean_gx)
