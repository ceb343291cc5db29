"""C = A B in blocks: tasks for the threads, packed panels for the caches, register tiles inside.

for each task, a block of C, taken by whichever thread is free
    for each kc steps of k                   pack B (kc, task_columns) into panels
        for each mc rows of the task         pack A (mc, kc), unless its rows are contiguous
            for each panel of B              (kc, NR): in the first-level cache from here on
                for each MR rows of A        one register tile
        after the last k: the epilogue, while the rows of C are in cache
"""

import numpy as np
from minibert.kernels.blocking import Plan
from minibert.kernels.compile import compiled
from minibert.kernels.epilogue import finish
from minibert.kernels.memory import address, fetch_add, load, store
from minibert.kernels.microkernel import multiply_tile
from minibert.kernels.packing import pack_a, pack_b, panel_strides, tile_columns, tile_rows
from numba import njit, prange, types


def _product(a, b, c, other, bias, sums, add, kind, plan, counter, buffers):
    """C (+)= A B and its epilogue; A (P, Q, M, K), B (P, Q, K, N), C and other (P, Q, M, N), bias and sums (N,).

    One lane a thread. Which lane does which task is a matter of chance, what a task does is not.
    """
    if len(buffers) == 1:  # starting the threads costs more than a small product
        _lane(a, b, c, other, bias, sums, add, kind, plan, counter, buffers[0])
    else:
        for lane in prange(len(buffers)):
            _lane(a, b, c, other, bias, sums, add, kind, plan, counter, buffers[lane])


@compiled(_product)
def product(dtype: np.dtype) -> types.Type:
    """The types of its arguments: `product(dtype)` is the compiled product, for every layout."""
    number = types.float32 if dtype == np.float32 else types.float64
    read, write = types.Array(number, 4, "A", readonly=True), types.Array(number, 4, "A")
    vector = types.Array(number, 1, "C", readonly=True)
    return types.void(
        *(read, read, write, write, vector, types.Array(number, 1, "C"), types.intp, types.intp),
        *(types.NamedUniTuple(types.intp, 7, Plan), types.Array(types.intp, 1, "C"), types.Array(number, 2, "C")),
    )


@njit
def _lane(a, b, c, other, bias, sums, add, kind, plan, counter, buffer):
    """Do tasks until none is left. Tasks that follow one another share their columns of B."""
    rows, columns = plan.row_tasks, plan.column_tasks
    tasks = c.shape[0] * c.shape[1] * rows * columns
    task = fetch_add(counter)
    while task < tasks:
        p, q = divmod(task // (rows * columns), c.shape[1])
        i, j = task % rows * plan.task_rows, task // rows % columns * plan.task_columns
        _task(a, b, c, other, bias, sums, add, kind, plan, p, q, i, j, buffer)
        task = fetch_add(counter)


@njit
def _task(a, b, c, other, bias, sums, add, kind, plan, p, q, i0, j0, buffer):
    """One block of C [p, q], from row i0 and column j0 on."""
    dtype, item, K = c.dtype, c.itemsize, a.shape[3]
    i_end, columns = min(c.shape[2], i0 + plan.task_rows), min(c.shape[3] - j0, plan.task_columns)
    c_row = c.strides[2]
    b_block = address(b) + p * b.strides[0] + q * b.strides[1] + j0 * b.strides[3]
    a_panels = address(buffer)
    b_panels = a_panels + plan.mc * plan.kc * item
    edge = address(buffer) + (len(buffer) - tile_rows(dtype) * tile_columns(dtype)) * item
    for k in range(0, max(K, 1), plan.kc):
        kc = min(plan.kc, K - k)
        pack_b(dtype, item, b_block + k * b.strides[2], b.strides[2], b.strides[3], kc, columns, b_panels)
        if len(sums) > 0 and i0 == 0:
            _add_sums(dtype, item, b_panels, kc, columns, sums, j0, add != 0 or k > 0, edge)
        for i in range(i0, i_end, plan.mc):
            rows = min(plan.mc, i_end - i)
            a_block = address(a) + p * a.strides[0] + q * a.strides[1] + i * a.strides[2] + k * a.strides[3]
            c_block = address(c) + p * c.strides[0] + q * c.strides[1] + i * c_row + j0 * item
            block, panel, a_row, a_column = _ready_a(
                dtype, item, a_block, a.strides[2], a.strides[3], rows, kc, a_panels
            )
            added = add != 0 or k > 0
            _multiply_block(
                dtype, item, block, panel, a_row, a_column, b_panels, kc, c_block, c_row, rows, columns, added, edge
            )
            if k + kc >= K and (kind != 0 or len(bias) > 0):
                x = address(other) + p * other.strides[0] + q * other.strides[1] + i * other.strides[2] + j0 * item
                at = address(bias) + j0 * item if len(bias) > 0 else 0
                finish(dtype, c_block, c_row, x, other.strides[2], at, rows, columns, kind)


@njit
def _ready_a(dtype, item, a, a_row, a_column, rows, kc, panels):
    """A block of A for the tiles: (address, bytes from panel to panel, row and column strides).

    Contiguous rows are read where they are: every cache line is used up, one stream for each row of the tile.
    Otherwise, and where the last panel would reach beyond the last row, the block is packed.
    """
    MR = tile_rows(dtype)
    if a_column == item and rows % MR == 0:
        return a, MR * a_row, a_row, a_column
    pack_a(dtype, item, a, a_row, a_column, rows, kc, panels)
    row, column = panel_strides(dtype, item, a_column, kc)
    return panels, MR * kc * item, row, column


@njit
def _multiply_block(dtype, item, a, a_panel, a_row, a_column, b_panels, kc, c, c_row, rows, columns, add, edge):
    """C (rows, columns) (+)= A B. Tiles at the edges go to a whole tile aside first, and their part to C."""
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


@njit
def _add_sums(dtype, item, b_panels, kc, columns, sums, j0, add, edge):
    """sums (+)= sum of B over k: the product of a row of ones and B, by the same tile (all its rows are alike)."""
    NR = tile_columns(dtype)
    one = edge - item  # the number before the edge tile is free
    store(dtype, one, dtype.type(1))
    for j in range(0, columns, NR):
        multiply_tile(dtype, one, 0, 0, b_panels + j * kc * item, kc, edge, NR * item, 0)
        for n in range(min(NR, columns - j)):
            value = load(dtype, edge + n * item)
            sums[j0 + j + n] = value + sums[j0 + j + n] if add else value
