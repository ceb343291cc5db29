"""How attention is cut into tiles and tasks, and what stays the same over a call."""

from functools import cache
from typing import NamedTuple

import numpy as np
from minibert.kernels.blocking import split
from minibert.kernels.microkernel import host_tile
from numba import types

ROWS = 48  # the most query rows of a tile: with K = 64, its queries (12 KB) stay in the first-level cache
COLUMNS = 256  # the most key columns: a tile of scores takes 48 KB of the second-level cache
TASKS = 16  # as many tasks at least, if there are queries enough: more than threads, so that none waits long

NO_BIAS, MASK, ADDED = 0, 1, 2  # kinds of bias


class Plan(NamedTuple):
    """How the scores of a head are cut; depends on the shape alone. Sizes in numbers, not bytes."""

    rows: int  # query rows of a tile: whole register tiles
    columns: int  # key columns of a tile: whole panels
    stride: int  # from row to row of a tile: an odd number of cache lines, so that a column uses all of the cache
    width: int  # K, rounded up to whole panels
    chunk: int  # queries of a forward task
    chunks: int  # forward tasks of a head


class Settings(NamedTuple):
    """What stays the same over a call."""

    scale: float
    factor: float  # 1 / (1 - rate)
    kind: int  # of bias
    causal: int
    key_low: int
    key_high: int
    threshold: int  # 0: no dropout


PLAN = types.NamedUniTuple(types.intp, len(Plan._fields), Plan)
SETTINGS = types.NamedTuple(
    (types.float64, types.float64, types.intp, types.intp, types.uint32, types.uint32, types.uint32), Settings
)


@cache
def plan(heads: int, T: int, S: int, K: int, dtype: np.dtype) -> Plan:
    """The plan for so many heads with scores (T, S) and heads K wide."""
    tile, line = host_tile(dtype), 64 // dtype.itemsize
    rows, row_tiles = split(T, ROWS, tile.rows)
    columns, _ = split(S, COLUMNS, tile.columns)
    stride = (-(-(columns + tile.rows) // line) | 1) * line
    chunks = min(row_tiles, max(1, -(-TASKS // heads)))
    chunk = -(-row_tiles // chunks) * rows
    return Plan(rows, columns, stride, -(-K // tile.columns) * tile.columns, chunk, -(-T // chunk))
