"""C = A B: rounds of packing and multiplying, both shared by all threads.

for each round, a part of C over some steps of k
    for each bundle of panels of B, and of A unless the tile can read it where it is       pack it
    (all threads wait for one another)
    for each task, a block of C, taken by whichever thread is free
        for each kc steps of k
            for each panel of B              (kc, NR): in the first-level cache from here on
                for each MR rows of A        one register tile
        after the last k: the epilogue, while the block of C is in cache

A *phase* is what lies between two such waits: in each round one of packing, one of multiplying. Small products are not
worth sharing, and where A is read in place no thread need wait for another: there a thread does all of the above by
itself, for one job after another (a job: a product, or a strip of its columns; see `blocking`).

The packed part of B (depth, columns) of a round, for the first kc steps, then the next, panel behind panel:

    address of panel j / NR at step k      (k * columns + j * kc) * bytes of a number      k a multiple of kc

and the panels of A likewise, with MR rows in the place of NR columns, and in the place of `columns` the `height` of
all of A's panels (one panel if A is read in place: the last rows of a product, which fill no whole tile, are packed).
"""

from typing import NamedTuple

import numpy as np
from minibert.kernels.blocking import PLAN_SIZE, Plan
from minibert.kernels.column_sums import add_column_sums
from minibert.kernels.compile import compiled, compiled_once
from minibert.kernels.epilogue import finish
from minibert.kernels.memory import address, fetch_add, load, store
from minibert.kernels.microkernel import multiply_tile
from minibert.kernels.packing import pack_a, pack_b, panel_strides, tile_columns, tile_rows
from numba import njit, prange, types

BUNDLE, WIDE_BUNDLE = 8, 32  # panels that are packed as one task

# Numba writes these functions into their caller. Compiled by themselves, they would cost LLVM time for each caller.
pasted = njit(inline="always")


class Matrix(NamedTuple):
    """Where a matrix lies: address, and strides in bytes from row to row and from column to column."""

    at: int
    row: int
    column: int


class Job(NamedTuple):
    """One product of two matrices, or a strip of its columns, with its epilogue."""

    M: int
    N: int
    K: int
    a: Matrix
    b: Matrix
    c: Matrix
    other: Matrix  # what the epilogue reads or writes beside C
    bias: int  # address, or 0
    sums: int  # address, or 0: receives the sum of the rows of B
    add: int  # 1: to what C holds already
    kind: int  # of the epilogue: PLAIN, GELU, ... in `epilogue`


class Round(NamedTuple):
    """C [i : i + rows, j : j + columns] over the steps k ... k + depth."""

    i: int
    j: int
    k: int
    rows: int
    columns: int
    depth: int
    b_panels: int  # addresses
    a_panels: int


def _product(a, b, c, other, bias, sums, add, kind, plan, counters, panels, edges):
    """C (+)= A B and its epilogue; A (P, Q, M, K), B (P, Q, K, N), C and other (P, Q, M, N), bias and sums (N,).

    Rows of C and other are contiguous: the caller sees to that. A and B may have any strides.

    counters: of the tasks begun, one for each time that the threads start together. edges (threads, MR NR): a tile
    for each thread.
    """
    for phase in range(len(counters)):
        for lane in prange(len(edges)):
            _lane(a, b, c, other, bias, sums, add, kind, plan, phase, counters, panels, edges, np.intp(lane))


@compiled(_product)
def product(dtype: np.dtype) -> types.Type:
    """The types of its arguments: `product(dtype)` is the compiled product, for every layout."""
    number = types.float32 if dtype == np.float32 else types.float64
    read, write = types.Array(number, 4, "A", readonly=True), types.Array(number, 4, "A")
    vector, scratch = types.Array(number, 1, "C", readonly=True), types.Array(number, 2, "C")
    return types.void(
        *(read, read, write, write, vector, types.Array(number, 1, "C"), types.intp, types.intp),
        *(types.NamedUniTuple(types.intp, PLAN_SIZE, Plan), types.Array(types.intp, 1, "C"), scratch, scratch),
    )


def phases(plan: Plan, matrices: int) -> int:
    """How often the threads start together: to pack and to multiply in each round, or once."""
    return 2 * matrices * plan.row_rounds * plan.column_rounds * plan.depth_rounds if plan.together else 1


@njit
def _lane(a, b, c, other, bias, sums, add, kind, plan, phase, counters, panels, edges, lane):
    """What one thread does until nothing is left to do. There are two ways, told apart by `plan.together`.

    together    all threads share one job: `phase` says which job, which of its rounds, and whether to pack or to
                multiply; they take the tasks of this phase from its counter, then wait for each other
    apart       the thread takes whole jobs from the only counter, and does all rounds of each alone: it counts
                the tasks by itself

    One loop for both, because the code of the tasks would otherwise stand, and be compiled, twice.
    """
    compiled_once()
    dtype, item, jobs = c.dtype, c.itemsize, c.shape[0] * c.shape[1] * plan.strips
    steps = 2 * plan.row_rounds * plan.column_rounds * plan.depth_rounds  # packing and multiplying, round by round
    edge = address(edges[lane])
    number = phase // steps if plan.together else fetch_add(counters)
    while number < jobs:
        job = _job(a, b, c, other, bias, sums, add, kind, plan, number)
        first, last = (phase % steps, phase % steps) if plan.together else (0, steps - 1)
        for step in range(first, last + 1):
            counter = counters[phase:] if plan.together else np.zeros(1, np.intp)
            part = _round(item, job, plan, step // 2, address(panels[0 if plan.together else lane]))
            _tasks(dtype, item, job, plan, part, step % 2 == 0, counter, edge)
        number = jobs if plan.together else fetch_add(counters)  # together: this phase is done


@pasted
def _job(a, b, c, other, bias, sums, add, kind, plan, number):
    """A strip of columns of product p Q + q of the batch."""
    matrix, strip = divmod(number, plan.strips)
    p, q = divmod(matrix, c.shape[1])
    j = strip * plan.strip
    no_other = other.shape[3] == 0 or c.shape[3] == 0
    return Job(
        c.shape[2], min(plan.strip, c.shape[3] - j), a.shape[3],
        _matrix(a, p, q, 0), _matrix(b, p, q, j), _matrix(c, p, q, j),
        _matrix(other, 0, 0, 0) if no_other else _matrix(other, p, q, j),
        address(bias) + j * c.itemsize if len(bias) > 0 else 0,
        address(sums) + j * c.itemsize if len(sums) > 0 else 0, add, kind,
    )  # fmt: skip


@pasted
def _matrix(x, p, q, j):
    return Matrix(address(x) + p * x.strides[0] + q * x.strides[1] + j * x.strides[3], x.strides[2], x.strides[3])


@pasted
def _round(item, job, plan, number, panels):
    """Round `number`: those that add to the same part of C follow one another."""
    k = number % plan.depth_rounds * plan.depth
    i = number // plan.depth_rounds % plan.row_rounds * plan.rows
    j = number // (plan.depth_rounds * plan.row_rounds) * plan.columns
    rows, columns, depth = min(plan.rows, job.M - i), min(plan.columns, job.N - j), min(plan.depth, job.K - k)
    return Round(i, j, k, rows, columns, depth, panels, panels + plan.columns * plan.depth * item)


@pasted
def _tasks(dtype, item, job, plan, part, packing, counter, edge):
    """Take tasks of packing, or of multiplying, until none is left."""
    MR, NR = tile_rows(dtype), tile_columns(dtype)
    pieces = max(1, _parts(part.depth, plan.kc))  # of kc steps of k
    b_wide, a_wide = _bundle(job.b.column == item) * NR, _bundle(job.a.row == item) * MR
    b_tasks = pieces * _parts(part.columns, b_wide)
    a_tasks = pieces * (_parts(part.rows, a_wide) if plan.packs_a else int(part.rows % MR > 0))
    row_tasks = _parts(part.rows, plan.task_rows)
    tasks = b_tasks + a_tasks if packing else row_tasks * _parts(part.columns, plan.task_columns)
    task = fetch_add(counter)
    while task < tasks:
        if not packing:
            i, j = task % row_tasks * plan.task_rows, task // row_tasks * plan.task_columns
            _multiply_task(dtype, item, job, plan, part, i, j, edge)
        elif task < b_tasks:
            _pack_b_bundle(dtype, item, job, plan, part, task % pieces * plan.kc, task // pieces * b_wide, b_wide)
        else:
            task -= b_tasks
            _pack_a_bundle(dtype, item, job, plan, part, task % pieces * plan.kc, task // pieces * a_wide, a_wide)
        task = fetch_add(counter)


@pasted
def _parts(length, size):
    return (length + size - 1) // size


@pasted
def _bundle(adjacent):
    """Panels that are packed as one task: more where their numbers are adjacent, for long runs are fetched ahead."""
    return WIDE_BUNDLE if adjacent else BUNDLE


@pasted
def _pack_b_bundle(dtype, item, job, plan, part, k, j, most):
    """Pack some panels of B, kc steps from k and columns from j of the round on."""
    columns, kc = min(most, part.columns - j), min(plan.kc, part.depth - k)
    source = job.b.at + (part.k + k) * job.b.row + (part.j + j) * job.b.column
    pack_b(
        dtype, item, source, job.b.row, job.b.column, kc, columns, part.b_panels + (k * plan.columns + j * kc) * item
    )


@pasted
def _pack_a_bundle(dtype, item, job, plan, part, k, i, most):
    """Pack some panels of A; where A's rows are read in place, only the rows of the last tile, which is not full."""
    first = i if plan.packs_a else part.rows - part.rows % tile_rows(dtype)
    rows, kc = min(most, part.rows - first), min(plan.kc, part.depth - k)
    source = job.a.at + (part.i + first) * job.a.row + (part.k + k) * job.a.column
    pack_a(dtype, item, source, job.a.row, job.a.column, rows, kc, part.a_panels + (k * plan.height + i * kc) * item)


@pasted
def _multiply_task(dtype, item, job, plan, part, i, j, edge):
    """A block of C, from row i and column j of the round on."""
    MR = tile_rows(dtype)
    rows, columns = min(plan.task_rows, part.rows - i), min(plan.task_columns, part.columns - j)
    c = job.c.at + (part.i + i) * job.c.row + (part.j + j) * item
    in_place = 0 if plan.packs_a else rows - rows % MR
    for k in range(0, max(part.depth, 1), plan.kc):  # once even if K is 0: C must become 0
        kc = min(plan.kc, part.depth - k)
        b = part.b_panels + (k * plan.columns + j * kc) * item
        added = job.add != 0 or part.k + k > 0
        if in_place > 0:
            a = job.a.at + (part.i + i) * job.a.row + (part.k + k) * job.a.column
            _multiply_block(
                dtype, item, a, MR * job.a.row, job.a.row, job.a.column, b, kc, c, job.c.row,
                in_place, columns, added, edge,
            )  # fmt: skip
        if rows > in_place:
            a = part.a_panels + (k * plan.height + (i * kc if plan.packs_a else 0)) * item
            row, column = panel_strides(dtype, item, job.a.column, kc)
            _multiply_block(
                dtype, item, a, MR * kc * item, row, column, b, kc, c + in_place * job.c.row, job.c.row,
                rows - in_place, columns, added, edge,
            )  # fmt: skip
        if job.sums != 0 and part.i + i == 0:  # of the tasks that read these panels, the one with the first rows
            add_column_sums(dtype, item, b, kc, columns, job.sums + (part.j + j) * item, added, edge)
    if part.k + part.depth >= job.K and (job.kind != 0 or job.bias != 0):
        x = job.other.at + (part.i + i) * job.other.row + (part.j + j) * item
        bias = job.bias + (part.j + j) * item if job.bias != 0 else 0
        finish(dtype, item, c, job.c.row, x, job.other.row, bias, rows, columns, job.kind)


@njit
def _multiply_block(dtype, item, a, a_panel, a_row, a_column, b_panels, kc, c, c_row, rows, columns, add, edge):
    """C (rows, columns) (+)= A B. Tiles at the edges go to a whole tile aside first, and their part to C."""
    compiled_once()
    MR, NR = tile_rows(dtype), tile_columns(dtype)
    for j in range(0, columns, NR):
        for i in range(0, rows, MR):
            at = c + i * c_row + j * item
            inside = rows - i >= MR and columns - j >= NR
            target, target_row, target_add = (at, c_row, int(add)) if inside else (edge, NR * item, 0)
            multiply_tile(
                dtype, a + i // MR * a_panel, a_row, a_column, b_panels + j * kc * item, kc,
                target, target_row, target_add,
            )  # fmt: skip
            if not inside:
                _copy_edge(dtype, item, edge, at, c_row, min(MR, rows - i), min(NR, columns - j), add)


@njit
def _copy_edge(dtype, item, edge, c, c_row, rows, columns, add):
    for i in range(rows):
        for j in range(columns):
            value = load(dtype, edge + (i * tile_columns(dtype) + j) * item)
            if add:
                value += load(dtype, c + i * c_row + j * item)
            store(dtype, c + i * c_row + j * item, value)
