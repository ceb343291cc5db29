"""Twin of minibert.ops.embedding."""

import numpy as np
from minibert.kernels.checks import check_like, check_one_dtype, check_shape
from minibert.kernels.compile import as_rows, kernel, tasks
from numba import prange

from minibert.frozen import is_frozen
from minibert.ops.embedding import EmbeddingCache

CHUNK = 64  # rows of y a task copies
COLUMNS = 64  # columns of the table a task owns in the backward pass: four cache lines of float32


def embedding(ids: np.ndarray, table: np.ndarray) -> tuple[np.ndarray, EmbeddingCache]:
    """y[..., :] = table[ids[...], :]. A strided table is copied first. Ids outside 0..V-1 raise `IndexError`."""
    V, D = table.shape
    flat = checked(ids, V)  # (N,)
    y = np.empty((len(flat), D), table.dtype)
    _forward(table.dtype)(flat, np.ascontiguousarray(table), y)
    return y.reshape(*ids.shape, D), EmbeddingCache(ids, table)


def embedding_backward(dy: np.ndarray, cache: EmbeddingCache, into: np.ndarray | None = None) -> np.ndarray | None:
    """dy (..., D)  ->  dtable (V, D): rows of dy with equal ids are added, in their order; all are added to `into`.

    Adding into the gradient that a tied table has already spares a second array of its size, most of it zeros.
    """
    if is_frozen(cache.table):
        return None
    dtable = np.zeros_like(cache.table, order="C") if into is None else into  # (V, D)
    check_shape("dy", dy, (*np.shape(cache.ids), cache.table.shape[1]))
    check_like("the gradient to add to", dtable, cache.table)
    check_one_dtype("dy and the table", (dy, cache.table))
    ids, rows = checked(cache.ids, len(dtable)), as_rows(dy)  # (N,), (N, D)
    if dtable.flags.c_contiguous:
        _backward(dtable.dtype)(ids, rows, dtable)
    else:  # a transposed array, perhaps: add equal ids up first, then touch each row once
        found, position = np.unique(ids, return_inverse=True)  # (U,), (N,)
        sums = np.zeros((len(found), rows.shape[1]), rows.dtype)  # (U, D)
        _backward(rows.dtype)(position, rows, sums)
        dtable[found] += sums
    return dtable


def checked(ids: np.ndarray, V: int) -> np.ndarray:
    """Return ids (...) as (N,) int64, contiguous. Compiled loops do not check what they index, so this does."""
    flat = np.ascontiguousarray(ids, np.int64).reshape(-1)
    if flat.size and (flat.min() < 0 or flat.max() >= V):
        raise IndexError(f"ids must lie in 0..{V - 1}, but reach from {flat.min()} to {flat.max()}")
    return flat


@kernel("i1 r2 w2")
def _forward(ids, table, y):
    N, D = y.shape
    for task in prange(tasks(N, CHUNK)):
        for n in range(task * CHUNK, min(N, (task + 1) * CHUNK)):
            row = ids[n]
            for j in range(D):
                y[n, j] = table[row, j]


@kernel("i1 r2 w2")
def _backward(ids, dy, dtable):
    """A task owns some columns and goes through all ids: no two tasks write the same element, and no sort is needed."""
    N, D = dy.shape
    for task in prange(tasks(D, COLUMNS)):
        columns = slice(task * COLUMNS, min(D, (task + 1) * COLUMNS))
        for n in range(N):
            row, added = dtable[ids[n], columns], dy[n, columns]  # slices, so that the loop is compiled to vectors
            for j in range(len(row)):
                row[j] += added[j]
