"""Twins of minibert.ops.activations. A cache keeps x alone: computing Phi(x) again is faster than storing it."""

from typing import NamedTuple

import numpy as np
from minibert.kernels import gelu_math, vector_math
from minibert.kernels.checks import check_like
from minibert.kernels.compile import kernel, tasks
from numba import prange

from minibert.ops.activations import TanhCache

CHUNK = 4096  # elements a task
GELU, GELU_TANH, TANH = range(3)  # one kernel for the three: most of the time to compile a kernel is not in its loops


class GeluCache(NamedTuple):
    x: np.ndarray  # (...)


class GeluTanhCache(NamedTuple):
    x: np.ndarray  # (...)


def gelu(x: np.ndarray) -> tuple[np.ndarray, GeluCache]:
    """gelu(x) = x Phi(x), elementwise. A strided x is copied first."""
    return _apply(GELU, x), GeluCache(x)


def gelu_backward(dy: np.ndarray, cache: GeluCache) -> np.ndarray:
    """dy (...)  ->  dx = dy (Phi(x) + x phi(x))."""
    return _apply_backward(GELU, dy, cache.x)


def gelu_tanh(x: np.ndarray) -> tuple[np.ndarray, GeluTanhCache]:
    """gelu_tanh(x) = x (1 + tanh(u)) / 2,  u = sqrt(2 / pi) (x + 0.044715 x^3). A strided x is copied first."""
    return _apply(GELU_TANH, x), GeluTanhCache(x)


def gelu_tanh_backward(dy: np.ndarray, cache: GeluTanhCache) -> np.ndarray:
    """dy (...)  ->  dx = dy times the derivative at x."""
    return _apply_backward(GELU_TANH, dy, cache.x)


def tanh(x: np.ndarray) -> tuple[np.ndarray, TanhCache]:
    """y = tanh(x), elementwise. A strided x is copied first."""
    y = _apply(TANH, x)
    return y, TanhCache(y)


def tanh_backward(dy: np.ndarray, cache: TanhCache) -> np.ndarray:
    """dy (...)  ->  dx = dy (1 - y^2)."""
    return _apply_backward(TANH, dy, cache.y)


def _apply(function: int, x: np.ndarray) -> np.ndarray:
    flat = np.ascontiguousarray(x).reshape(-1)
    y = np.empty_like(flat)
    _forward(x.dtype)(function, flat, y)
    return y.reshape(x.shape)


def _apply_backward(function: int, dy: np.ndarray, kept: np.ndarray) -> np.ndarray:
    check_like("dy", dy, kept)
    flat = np.ascontiguousarray(dy).reshape(-1)
    dx = np.empty_like(flat)
    _backward(dy.dtype)(function, flat, np.ascontiguousarray(kept).reshape(-1), dx)
    return dx.reshape(dy.shape)


# A task works on slices, and its loops run from 0 to their length: where a loop runs from `first`, the compiler allows
# for negative indices at each element, and uses no vector instructions.


@kernel("i r1 w1")
def _forward(function, x, y):
    for task in prange(tasks(len(x), CHUNK)):
        part = slice(task * CHUNK, min(len(x), (task + 1) * CHUNK))
        xs, ys = x[part], y[part]
        if function == GELU:
            for i in range(len(xs)):
                ys[i] = gelu_math.gelu(xs[i])
        elif function == GELU_TANH:
            for i in range(len(xs)):
                ys[i] = gelu_math.gelu_tanh(xs[i])
        else:
            for i in range(len(xs)):
                ys[i] = vector_math.tanh(xs[i])


@kernel("i r1 r1 w1")
def _backward(function, dy, kept, dx):
    one = dy.dtype.type(1)
    for task in prange(tasks(len(dy), CHUNK)):
        part = slice(task * CHUNK, min(len(dy), (task + 1) * CHUNK))
        xs, dys, dxs = kept[part], dy[part], dx[part]
        if function == GELU:
            for i in range(len(xs)):
                dxs[i] = dys[i] * gelu_math.gelu_grad(xs[i])
        elif function == GELU_TANH:
            for i in range(len(xs)):
                dxs[i] = dys[i] * gelu_math.gelu_tanh_grad(xs[i])
        else:
            for i in range(len(xs)):
                dxs[i] = dys[i] * (one - xs[i] * xs[i])
