"""Products of a few rows: y = x W with x (M, K), M at most 4, as when a text is written token by token.

Here each number of W is used M times, not hundreds of times: the time is that of reading W from memory, once, and
copying it into panels first would triple it. So W is read where it is, in the order in which it lies there:

    rows of W contiguous      a task takes some rows k: its part of y is sum_k x[k] W[k], which stays in the
                              first-level cache while the rows pass by. The parts are added up in the end
    columns contiguous        (a table that is used transposed) a task takes some columns n: y[n] = x . W[:, n]

Tasks depend on the shape of W alone: the same bits whatever the number of threads, or the number of rows of x.
"""

import numpy as np
from minibert.kernels.compile import FAST, compiled, compiled_once, tasks
from minibert.kernels.epilogue import PLAIN, finish
from minibert.kernels.memory import address, fetch_add, row
from minibert.kernels.threads import run_on
from minibert.kernels.workspace import scratch
from numba import get_num_threads, njit, prange, types

FEW = 4  # rows of x
PARTS = 8  # tasks over the rows of W: each has an own part of y, of all columns
WIDE = 4096  # columns of such a task, at most: the part of y takes 16 KB of float32
BLOCK = 64  # columns of a task where columns are contiguous
SERIAL_NUMBERS = 250_000  # of W: fewer, and waking the other threads takes longer than reading it
FORWARD = 3  # epilogues below this are those of forward passes: bias, GELU


def is_vector_product(a: np.ndarray, b: np.ndarray, kind: int) -> bool:
    """Whether A (1, 1, M, K) B (1, 1, K, N) is a product for this file."""
    return (
        a.shape[0] * a.shape[1] == 1
        and 0 < a.shape[2] <= FEW
        and a.shape[3] > 0
        and kind < FORWARD
        and b.itemsize in b.strides[2:]
    )


def vector_product(a: np.ndarray, b: np.ndarray, out: np.ndarray, other: np.ndarray, bias: np.ndarray, kind: int):
    """out = A B + bias, then the epilogue `kind`. Four axes each, the first two of length 1; bias (N,) or empty."""
    x, w, y = np.ascontiguousarray(a[0, 0]), b[0, 0], out[0, 0]  # (M, K), (K, N), (M, N)
    M, N = y.shape
    by_rows = w.strides[1] == w.itemsize
    count = PARTS * tasks(N, WIDE) if by_rows else tasks(N, BLOCK)
    parts = scratch(PARTS if by_rows else 1, M * N if by_rows else 1, y.dtype, "vector product")
    allowed = get_num_threads()
    lanes = min(allowed, count) if w.size > SERIAL_NUMBERS else 1
    counter = np.zeros(1, np.intp)
    run_on(lanes, allowed, _few_rows(y.dtype), x, w, y, other[0, 0], bias, kind, count, lanes, by_rows, counter, parts)


def _loop(x, w, y, other, bias, kind, count, lanes, by_rows, counter, parts):
    """x (M, K), w (K, N), y and other (M, N), bias (N,), counter of the tasks begun, parts (PARTS, M N)."""
    for _lane in prange(lanes):
        task = fetch_add(counter)
        while task < count:
            if by_rows:
                _some_rows(x, w, task, parts)
            else:
                _some_columns(x, w, task, y)
            task = fetch_add(counter)
    if by_rows:
        _add_parts(y, parts)
    if kind != PLAIN or len(bias) > 0:
        at = address(bias) if len(bias) > 0 else 0
        rows, columns = y.shape
        finish(
            y.dtype, y.itemsize, address(y), y.strides[0], address(other), other.strides[0], at, rows, columns, kind
        )  # fmt: skip


@compiled(_loop)
def _few_rows(dtype: np.dtype) -> types.Type:
    """The types of its arguments."""
    number = types.float32 if dtype == np.float32 else types.float64
    flag, size = types.boolean, types.intp
    read, write = types.Array(number, 2, "A", readonly=True), types.Array(number, 2, "A")
    x, bias = types.Array(number, 2, "C", readonly=True), types.Array(number, 1, "C", readonly=True)
    counter, parts = types.Array(types.intp, 1, "C"), types.Array(number, 2, "C")
    return types.void(x, read, write, write, bias, size, size, size, flag, counter, parts)


@njit(fastmath=FAST, error_model="numpy")
def _some_rows(x, w, task, parts):
    """A part of the columns j of y: sum over a part of the rows k of x[k] W[k, j]. Eight rows of W pass at a time."""
    compiled_once()
    dtype, item, (M, K), N = w.dtype, w.itemsize, x.shape, w.shape[1]
    part, j = task % PARTS, task // PARTS * WIDE
    n, size = min(WIDE, N - j), -(-K // (8 * PARTS)) * 8
    first, last = min(K, part * size), min(K, part * size + size)
    at, step = address(w) + j * item, w.strides[0]
    mine = address(parts[part]) + j * item
    for m in range(M):
        row(dtype, mine + m * N * item, n)[:] = dtype.type(0)
    for k in range(first, last - 7, 8):
        for m in range(M):
            _add_eight(x[m, k : k + 8], at + k * step, step, row(dtype, mine + m * N * item, n))
    for k in range(max(first, last - (last - first) % 8), last):
        for m in range(M):
            _add_one(x[m, k], row(dtype, at + k * step, n), row(dtype, mine + m * N * item, n))


@njit(fastmath=FAST, error_model="numpy")
def _add_eight(x, at, step, total):
    """total += sum over k < 8 of x[k] W[k], the rows W[k] at an address, `step` bytes apart."""
    compiled_once()
    dtype, n = total.dtype, len(total)
    w0, w1, w2, w3 = (
        row(dtype, at, n),
        row(dtype, at + step, n),
        row(dtype, at + 2 * step, n),
        row(dtype, at + 3 * step, n),
    )
    at += 4 * step
    w4, w5, w6, w7 = (
        row(dtype, at, n),
        row(dtype, at + step, n),
        row(dtype, at + 2 * step, n),
        row(dtype, at + 3 * step, n),
    )
    x0, x1, x2, x3, x4, x5, x6, x7 = x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]
    for i in range(n):
        total[i] += (x0 * w0[i] + x1 * w1[i] + x2 * w2[i] + x3 * w3[i]) + (
            x4 * w4[i] + x5 * w5[i] + x6 * w6[i] + x7 * w7[i]
        )


@njit(fastmath=FAST, error_model="numpy")
def _add_one(x, w, total):
    """total += x W[k]."""
    for i in range(len(total)):
        total[i] += x * w[i]


@njit(fastmath=FAST, error_model="numpy")
def _add_parts(y, parts):
    """y = sum of the parts, in their order."""
    compiled_once()
    M, N = y.shape
    for m in range(M):
        total = row(y.dtype, address(y) + m * y.strides[0], N)
        total[:] = parts[0, m * N : m * N + N]
        for part in range(1, len(parts)):
            mine = parts[part, m * N : m * N + N]
            for i in range(N):
                total[i] += mine[i]


@njit(fastmath=FAST, error_model="numpy")
def _some_columns(x, w, task, y):
    """y[n] = sum over k of x[k] W[k, n] for some columns n, each contiguous."""
    compiled_once()
    dtype, (M, K) = w.dtype, x.shape
    for n in range(task * BLOCK, min(w.shape[1], task * BLOCK + BLOCK)):
        column = row(dtype, address(w) + n * w.strides[1], K)
        for m in range(M):
            total = dtype.type(0)
            for k in range(K):
                total += x[m, k] * column[k]
            y[m, n] = total
