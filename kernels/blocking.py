"""How a product is cut: rounds for the memory that threads share, tasks for the threads, blocks for the caches.

    a job: a product, or a strip of its columns. Where A is read in place, all that a strip needs made is the panels of
        its own part of B: one thread packs and multiplies it, and no thread waits for another before the end
    a round: a part of C, (rows, columns), over `depth` steps of k. Where A must be packed as well, all threads share
        one job: they pack the round's operands, once, then multiply: SHARED_BYTES of panels, which the last-level
        cache holds
    a task: (task_rows, task_columns) of a round, for whichever thread is free. Its rows of A, for kc steps of k,
        stay in the core's second-level cache, and meet one panel of B after the other
    KC: steps of k in a panel. A panel of B (KC, NR) is read again and again, from the first-level cache if it fits
        (with AVX2 16 kB); fewer steps would write C, and read it to add to it, more often

The steps of k are cut by shape, dtype, layout and processor, never by the number of threads: so each number of C is
summed in the same order, to the same bits, however many threads share the work.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from minibert.kernels.microkernel import host_tile

KC = 256  # steps of k in a panel, at most
BLOCK_BYTES = 144 * 1024  # rows of A for kc steps of k, in the second-level cache while C and panels pass through
SHARED_BYTES = 6 * 1024 * 1024
LINE = 64  # bytes of a cache line
PAGE = 4096  # bytes; also how far apart two addresses are that compete for the same places of a first-level cache
WAYS = 8  # of such places, at least
DEPTH = 512  # steps of k of a round, at most
TASK_COLUMNS = 512  # the most
STRIPS = 2  # of a product's columns, for each thread
STRIP_PANELS = 2  # of a strip, at least
TASKS = 16  # of a round, if it is large: so that a thread that is held up does not hold up the others
TASK_WORK = 1e6  # multiply-adds of a task at least, about 20 microseconds
TOGETHER_WORK = 32e6  # of many products, those with fewer multiply-adds than this go to one thread each
TINY_WORK = 32e3  # with no more multiply-adds than this, NumPy does it
SERIAL_WORK = 2e6  # with fewer multiply-adds in all, one thread does everything: starting the others takes a while


class Plan(NamedTuple):
    """How products of one shape are done. Sizes in numbers, not bytes."""

    together: int  # 1: all threads share each job; 0: each thread takes whole ones
    strip: int  # columns of a job
    strips: int  # jobs of a product
    packs_a: int  # 0: A is read where it is
    rows: int  # of a round
    columns: int
    depth: int
    row_rounds: int
    column_rounds: int
    depth_rounds: int
    task_rows: int
    task_columns: int
    kc: int
    height: int  # rows of A's panels
    panels: int  # numbers that the panels of a round take


PLAN_SIZE = len(Plan._fields)


def split(length: int, most: int, multiple: int) -> tuple[int, int]:
    """Cut a length into equal parts of about `most`, rounded up to a multiple: (size of a part, how many)."""
    parts = max(1, -(-length // most))
    size = max(1, -(-length // (parts * multiple))) * multiple
    return size, max(1, -(-length // size))


def is_read_in_place(row: int, column: int, item: int, MR: int) -> bool:
    """Whether the tile can read A where it is, given A's strides in bytes.

    It takes MR numbers of a column of A at a time. Where rows are contiguous, each of its MR streams uses up its cache
    lines, unless there are more streams than places in the cache for them: rows that are whole pages apart all want the
    same ones. Where columns are contiguous, the MR numbers are a piece of one line, and each step of k wants another
    line: worth it if the piece is most of the line, and the lines are not each on a memory page of its own.
    """
    if column == item:
        return MR <= WAYS or row % PAGE != 0
    return row == item and 2 * MR * item > LINE and abs(column) < PAGE


@cache
def plan(M: int, N: int, K: int, matrices: int, in_place: bool, threads: int, dtype: np.dtype) -> Plan:
    """The plan for so many products C (M, N) = A (M, K) B (K, N); `in_place`: A is read where it is."""
    tile, item = host_tile(dtype), dtype.itemsize
    MR, NR = tile.rows, tile.columns
    kc, _ = split(K, KC, 8)
    depth, depth_rounds = split(K, DEPTH, kc)
    room = SHARED_BYTES // item // depth  # rows of A and columns of B together
    rows, row_rounds = (max(M, 1), 1) if in_place else split(M, 2 * room // 3, MR)
    height = MR if in_place else rows
    shared = M * N * K >= (SERIAL_WORK if matrices == 1 else TOGETHER_WORK)
    together = shared and not in_place
    strip, strips = N, 1
    if shared and in_place:
        strip, strips = split(N, min(TASK_COLUMNS, max(STRIP_PANELS * NR, N // (STRIPS * threads))), NR)
    columns, column_rounds = split(strip, max(NR, room - height), NR)
    wanted = min(TASKS, rows * columns * depth // TASK_WORK) if together else 1
    task_rows, task_columns = _task(rows, columns, kc, MR, NR, item, wanted)
    panels = -(-(columns + height) * depth // 16) * 16  # 16 float32: a cache line
    return Plan(
        int(together), strip, strips, int(not in_place), rows, columns, depth, row_rounds, column_rounds, depth_rounds,
        task_rows, task_columns, kc, height, panels,
    )  # fmt: skip


def _task(rows: int, columns: int, kc: int, MR: int, NR: int, item: int, wanted: float) -> tuple[int, int]:
    """Rows and columns of a task: as the caches like it, then halved until there are as many as wanted."""
    task_rows, row_tasks = split(rows, max(MR, BLOCK_BYTES // (kc * item)), MR)
    task_columns, column_tasks = split(columns, TASK_COLUMNS, NR)
    while row_tasks * column_tasks < wanted and (task_columns > 2 * NR or task_rows > 2 * MR):
        if task_columns > 2 * NR and task_columns >= task_rows // 2:
            task_columns, column_tasks = split(columns, task_columns // 2, NR)
        else:
            task_rows, row_tasks = split(rows, task_rows // 2, MR)
    return task_rows, task_columns
