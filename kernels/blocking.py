"""How a product is cut into blocks for the caches and into tasks for the threads.

    KC  steps of k in a panel: a panel of B (KC, NR) is read again and again, so it should stay in the
        first-level cache or stream from the second; the more steps, the fewer times C is read and written
    MC  rows of A that are multiplied with one panel after the other: (MC, KC) stays in the second-level cache
    a task is a block of C; its block of B is packed once, however many rows of A meet it

A plan depends on the shape alone, never on the number of threads: so each number of C is summed in the same order,
to the same bits, however many threads share the work.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from minibert.kernels.microkernel import host_tile

PANEL_BYTES = 32 * 1024
BLOCK_BYTES = 144 * 1024
TASK_ROWS, TASK_COLUMNS = 1024, 512  # the most
TASKS = 8  # as many at least of a large product, so that a thread that is held up does not hold up the others
TASK_WORK = 32e6  # multiply-adds of a task of a smaller product: each task packs its operands anew
SERIAL_WORK = 1e6  # with fewer multiply-adds (20 microseconds) it is one task: starting threads takes a few
TASK_SIDE = 64  # rows or columns are not split further


class Plan(NamedTuple):
    """Tasks of (task_rows, task_columns) of C, done in blocks of mc rows and kc steps of k."""

    task_rows: int
    task_columns: int
    mc: int
    kc: int
    row_tasks: int
    column_tasks: int
    scratch: int  # numbers of scratch memory that a thread needs


def split(length: int, most: int, multiple: int) -> tuple[int, int]:
    """Cut a length into equal parts of about `most`, rounded up to a multiple: (size of a part, how many)."""
    parts = max(1, -(-length // most))
    size = max(1, -(-length // (parts * multiple))) * multiple
    return size, max(1, -(-length // size))


@cache
def plan(M: int, N: int, K: int, matrices: int, dtype: np.dtype) -> Plan:
    """The plan for so many products C (M, N) = A (M, K) B (K, N)."""
    tile, item = host_tile(dtype), dtype.itemsize
    MR, NR = tile.rows, tile.columns
    kc, _ = split(K, PANEL_BYTES // (NR * item), 8)
    work = M * N * K * matrices
    wanted = 1 if work < SERIAL_WORK else min(TASKS, max(2, work // TASK_WORK))
    rows, columns = max(1, min(M, TASK_ROWS)), max(1, min(N, TASK_COLUMNS))
    while matrices * -(-M // rows) * -(-N // columns) < wanted and max(rows, columns) > TASK_SIDE:
        rows, columns = (-(-rows // 2), columns) if rows >= columns else (rows, -(-columns // 2))
    task_rows, row_tasks = split(M, rows, MR)
    task_columns, column_tasks = split(N, columns, NR)
    mc = min(task_rows, max(1, BLOCK_BYTES // (kc * item * MR)) * MR)
    edge = -(-MR * NR // 16) * 16
    size = -(-(mc + task_columns) * kc // 16) * 16 + edge + 16  # 16 float32: a cache line
    return Plan(task_rows, task_columns, mc, kc, row_tasks, column_tasks, size)
