"""Twin of minibert.ops.dropout: the same bits, drawn where they are needed and never stored."""

import numpy as np
from minibert.kernels.compile import inline, kernel, tasks
from numba import prange

from minibert.errors import ConfigError
from minibert.ops.dropout import DropoutCache, check_rate

CHUNK = 16384  # elements a task


def dropout(x: np.ndarray, rate: float, key: int | None) -> tuple[np.ndarray, DropoutCache]:
    """y = m * x,  m = 0 with probability `rate`, else 1 / (1 - rate). A strided x is copied first."""
    return _multiply(x, rate, key), DropoutCache(rate, key)


def dropout_backward(dy: np.ndarray, cache: DropoutCache) -> np.ndarray:
    """dy (...)  ->  dx = m * dy, with m drawn again."""
    return _multiply(dy, *cache)


def draw(rate: float, key: int | None, n: int) -> tuple[np.uint32, np.uint32, np.uint32, float]:
    """Return what the kernels need to drop among n elements: key_low, key_high, threshold, scale.

    A threshold of 0 keeps every element, with scale 1: no dropout.
    """
    check_rate(rate)
    if key is None or rate == 0:
        return np.uint32(0), np.uint32(0), np.uint32(0), 1.0
    if n > 1 << 32:
        raise ConfigError(f"dropout counts elements in 32 bits, which {n:,} elements exceed: use a smaller batch")
    return np.uint32(key & 0xFFFFFFFF), np.uint32(key >> 32), np.uint32(round(rate * 2**32)), 1 / (1 - rate)


@inline
def keep(key_low, key_high, i, threshold):
    """Whether element i is kept: `random_bits(key, n)[i] >= threshold` of the reference.

    Numba widens 32-bit integers at every operation; the casts narrow them again, so that eight elements fit one
    vector register.
    """
    h = np.uint32(np.uint32(i) ^ key_low)
    h = np.uint32(h ^ (h >> np.uint32(16)))
    h = np.uint32(h * np.uint32(0x7FEB352D))
    h = np.uint32(h ^ (h >> np.uint32(15)))
    h = np.uint32(h * np.uint32(0x846CA68B))
    h = np.uint32(h ^ (h >> np.uint32(16)))
    h = np.uint32(h ^ key_high)
    h = np.uint32(h ^ (h >> np.uint32(16)))
    h = np.uint32(h * np.uint32(0x7FEB352D))
    h = np.uint32(h ^ (h >> np.uint32(15)))
    h = np.uint32(h * np.uint32(0x846CA68B))
    h = np.uint32(h ^ (h >> np.uint32(16)))
    return h >= threshold


def _multiply(x: np.ndarray, rate: float, key: int | None) -> np.ndarray:
    if key is None or rate == 0:
        return np.array(x, order="C")
    flat = np.ascontiguousarray(x).reshape(-1)
    y = np.empty_like(flat)
    _dropout(x.dtype)(flat, *draw(rate, key, x.size), y)
    return y.reshape(x.shape)


@kernel("r1 u u u f w1")
def _dropout(x, key_low, key_high, threshold, scale, y):
    scale, zero = x.dtype.type(scale), x.dtype.type(0)
    for task in prange(tasks(len(x), CHUNK)):
        first = task * CHUNK
        part = slice(first, min(len(x), first + CHUNK))
        xs, ys = x[part], y[part]  # slices, so that the loop is compiled to vectors
        for i in range(len(xs)):
            # a product, and not a choice, for a dropped infinity becomes NaN
            ys[i] = xs[i] * (scale if keep(key_low, key_high, first + i, threshold) else zero)
