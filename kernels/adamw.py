"""Twin of minibert.ops.adamw: each number is read from memory once, and written once.

A model has many arrays, most of them small. All are done in one launch: the compiled loops take addresses, so that
they need not know how many arrays there are.
"""

import ctypes
import functools
from collections.abc import Sequence

import numpy as np
from minibert.kernels.checks import check_like, check_one_dtype
from minibert.kernels.compile import inline, kernel
from minibert.kernels.memory import row
from numba import prange

CHUNK = 16384  # elements a task


def square_sum(arrays: Sequence[np.ndarray]) -> float:
    """sum of x^2 over all elements of all arrays, which have one dtype: the square of their global norm."""
    if not arrays:
        return 0.0
    check_one_dtype("the arrays", arrays)
    flat = [np.ascontiguousarray(x) for x in arrays]
    tasks = task_list(tuple(x.size for x in flat))
    partial = np.empty(len(tasks))
    _square_sum(flat[0].dtype)(flat[0].reshape(-1), addresses(flat), tasks, partial)
    return float(partial.sum())


def adamw(
    thetas: Sequence[np.ndarray],
    gs: Sequence[np.ndarray],
    ms: Sequence[np.ndarray],
    vs: Sequence[np.ndarray],
    t: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    scale: float,
) -> None:
    """One step of AdamW on the arrays of a model, all of one dtype, in one launch.

    The two corrections for the start at zero become constants:

        theta <- (1 - lr weight_decay) theta - lr / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps)
    """
    if not thetas:
        return
    dtype = thetas[0].dtype
    check_one_dtype("the parameters", thetas)
    for name, arrays in (("a gradient", gs), ("a first moment", ms), ("a second moment", vs)):
        for theta, a in zip(thetas, arrays, strict=True):
            check_like(name, a, theta)
    gs = [np.ascontiguousarray(g, dtype) for g in gs]
    state = [[a if a.flags.carray else np.require(a, dtype, "CW") for a in arrays] for arrays in (thetas, ms, vs)]
    table = np.stack([addresses(arrays) for arrays in (state[0], gs, state[1], state[2])])  # (4, arrays)
    # 1 - beta is made here: a compiler that knows it turns b v + (1 - b) g^2 into g^2 + b (v - g^2): inf - inf is NaN
    means = (beta1, 1 - beta1, beta2, 1 - beta2)
    constants = (scale, *means, lr / (1 - beta1**t), 1 / (1 - beta2**t), eps, 1 - lr * weight_decay)
    tasks = task_list(tuple(theta.size for theta in thetas))
    _adamw(dtype)(state[0][0].reshape(-1), table, tasks, *constants)
    for arrays, written in zip((thetas, ms, vs), state, strict=True):
        for a, b in zip(arrays, written, strict=True):
            if a is not b:
                a[...] = b


def addresses(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Where the data of each array begins. The arrays must stay alive, and contiguous."""
    return np.array([_address(a) for a in arrays], np.int64)


def _address(a: np.ndarray) -> int:
    """Of NumPy's own ways to tell, `a.ctypes` is the shortest, and takes five times as long as the buffer's."""
    if a.size and a.flags.carray:  # no buffer of others can be asked
        return ctypes.addressof(ctypes.c_char.from_buffer(a))
    return a.ctypes.data


@functools.lru_cache(maxsize=16)
def task_list(sizes: tuple[int, ...]) -> np.ndarray:
    """Cut arrays of these sizes into tasks: rows (array, first element, number of elements)."""
    tasks = [(k, i, min(CHUNK, size - i)) for k, size in enumerate(sizes) for i in range(0, size, CHUNK)]
    return np.array(tasks, np.int64).reshape(-1, 3)


@kernel("r1 i1 i2 d1")
def _square_sum(like, table, tasks, partial):
    for task in prange(len(tasks)):
        array, first, count = tasks[task]
        x = row(like.dtype, table[array] + first * like.itemsize, count)
        total = 0.0
        for i in range(count):
            value = np.float64(x[i])
            total += value * value
        partial[task] = total


@kernel("r1 i2 i2 f f f f f f f f f")
def _adamw(like, table, tasks, scale, keep1, new1, keep2, new2, rate, correction, eps, shrink):
    for task in prange(len(tasks)):
        array, first, count = tasks[task]
        at = first * like.itemsize
        theta, g = row(like.dtype, table[0, array] + at, count), row(like.dtype, table[1, array] + at, count)
        m, v = row(like.dtype, table[2, array] + at, count), row(like.dtype, table[3, array] + at, count)
        _step(theta, g, m, v, scale, keep1, new1, keep2, new2, rate, correction, eps, shrink)


@inline
def _step(theta, g, m, v, scale, keep1, new1, keep2, new2, rate, correction, eps, shrink):
    dtype = theta.dtype.type
    scale, rate, correction, eps, shrink = dtype(scale), dtype(rate), dtype(correction), dtype(eps), dtype(shrink)
    keep1, new1, keep2, new2 = dtype(keep1), dtype(new1), dtype(keep2), dtype(new2)
    for i in range(len(theta)):
        gradient = scale * g[i]
        m[i] = keep1 * m[i] + new1 * gradient
        v[i] = keep2 * v[i] + new2 * gradient * gradient
        theta[i] = shrink * theta[i] - rate * m[i] / (np.sqrt(v[i] * correction) + eps)
