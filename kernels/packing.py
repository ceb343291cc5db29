"""Packing: copying a block of an operand into panels that the register tile reads as one straight stream.

A panel of B holds NR columns, a panel of A holds MR rows; what is missing at the edge of the matrix is filled with
zeros, so that the tile never asks whether it stands at an edge (the sums it gets for the padding are not used).
"""

from llvmlite import ir
from minibert.kernels.memory import INTP, itemsize, load, prefetch, store, typed_pointer
from minibert.kernels.microkernel import host_tile
from numba import njit, types
from numba.extending import intrinsic

TOGETHER = 8  # steps of k copied together: their cache lines are still there when the next panel wants their rest


def _constant(of_tile):
    """An intrinsic f(dtype) -> intp: a number of the host's tile that the compiler sees as a constant."""

    @intrinsic
    def constant(typingctx, dtype):
        def codegen(context, builder, signature, args):
            return context.get_constant(INTP, of_tile(host_tile(str(signature.args[0].dtype))))

        return INTP(dtype), codegen

    return constant


def _mover(count_of_tile):
    """An intrinsic f(dtype, source, target): copies a constant number of adjacent elements through registers."""

    @intrinsic
    def move(typingctx, dtype, source, target):
        def codegen(context, builder, signature, args):
            item = signature.args[0].dtype
            lanes, align = count_of_tile(host_tile(str(item))), itemsize(context, item)
            source, target = (typed_pointer(context, builder, item, at, lanes) for at in args[1:])
            builder.store(builder.load(source, align=align), target, align=align)
            return context.get_dummy_value()

        return types.void(dtype, INTP, INTP), codegen

    return move


tile_rows = _constant(lambda tile: tile.rows)
tile_columns = _constant(lambda tile: tile.columns)
tile_lanes = _constant(lambda tile: tile.lanes)
move_columns = _mover(lambda tile: tile.columns)
move_rows = _mover(lambda tile: tile.rows)

# MR numbers in whole vectors are moved with fewer instructions. What is written beyond the MR belongs to the next
# step of k and is overwritten when that is packed; the last steps, and where a row of A ends, move MR exactly.
tile_span = _constant(lambda tile: -(-tile.rows // tile.lanes) * tile.lanes)
move_span = _mover(lambda tile: -(-tile.rows // tile.lanes) * tile.lanes)


@intrinsic
def transpose_lanes(typingctx, dtype, source, source_row, target, target_row):
    """Write the transpose of a square block, as many rows and columns as a vector has lanes.

    Numbers are exchanged between pairs of rows, 1, 2, 4, ... apart: each round transposes blocks of twice the size.
    """

    def codegen(context, builder, signature, args):
        item = signature.args[0].dtype
        lanes, align = host_tile(str(item)).lanes, itemsize(context, item)

        def pointer(at, row_bytes, i):
            at = builder.add(at, builder.mul(row_bytes, row_bytes.type(i)))
            return typed_pointer(context, builder, item, at, lanes)

        rows = [builder.load(pointer(args[1], args[2], i), align=align) for i in range(lanes)]
        step = 1
        while step < lanes:
            low = [lane + lanes - step if lane & step else lane for lane in range(lanes)]
            high = [lane + lanes if lane & step else lane + step for lane in range(lanes)]
            for i in (i for i in range(lanes) if not i & step):
                pair = rows[i], rows[i + step]
                rows[i], rows[i + step] = (
                    builder.shuffle_vector(*pair, ir.Constant(ir.VectorType(ir.IntType(32), lanes), mask))
                    for mask in (low, high)
                )
            step *= 2
        for i in range(lanes):
            builder.store(rows[i], pointer(args[3], args[4], i), align=align)
        return context.get_dummy_value()

    return types.void(dtype, *[INTP] * 4), codegen


@njit
def pack_b(dtype, item, b, b_row, b_column, kc, columns, panels):
    """Pack B (kc, columns), strides in bytes, into panels of (kc, NR)."""
    NR = tile_columns(dtype)
    whole = columns - columns % NR if item in (b_row, b_column) else 0
    if b_column == item:
        for k in range(0, kc, TOGETHER):
            for j in range(0, whole, NR):
                for k1 in range(k, min(kc, k + TOGETHER)):
                    move_columns(dtype, b + k1 * b_row + j * item, panels + (j * kc + k1 * NR) * item)
    else:
        for j in range(0, whole, NR):
            _pack_transposed(dtype, item, b + j * b_column, b_column, kc, panels + j * kc * item)
    for j in range(whole, columns, NR):
        source, target = b + j * b_column, panels + j * kc * item
        _pack_any(dtype, item, source, b_column, b_row, min(NR, columns - j), NR, kc, target)


@njit
def _pack_transposed(dtype, item, b, b_column, kc, panel):
    """Pack one full panel of a B whose columns are contiguous."""
    NR, lanes = tile_columns(dtype), tile_lanes(dtype)
    whole = kc - kc % (2 * lanes)
    for k in range(0, whole, 2 * lanes):  # twice the lanes: a cache line of each column, used up at once
        for j in range(0, NR, lanes):
            for k1 in range(k, k + 2 * lanes, lanes):
                transpose_lanes(dtype, b + j * b_column + k1 * item, b_column, panel + (k1 * NR + j) * item, NR * item)
    _pack_any(dtype, item, b + whole * item, b_column, item, NR, NR, kc - whole, panel + whole * NR * item)


@njit
def _pack_any(dtype, item, source, across, along, count, width, kc, panel):
    """Pack one panel from any strides: `count` rows of A or columns of B, padded with zeros to `width`."""
    for k in range(kc):
        for i in range(width):
            value = load(dtype, source + i * across + k * along) if i < count else dtype.type(0)
            store(dtype, panel + (k * width + i) * item, value)


@njit
def pack_a(dtype, item, a, a_row, a_column, rows, kc, panels):
    """Pack A (rows, kc), strides in bytes, into panels of MR rows.

    The tile reads A one number at a time and takes any strides, so each panel keeps the order that is cheap to
    copy: (MR, kc) if A's rows are contiguous, else (kc, MR). `panel_strides` tells which.
    """
    MR = tile_rows(dtype)
    if a_column == item:
        for i in range(-(-rows // MR) * MR):
            _copy_row(dtype, item, a + i * a_row, kc if i < rows else 0, kc, panels + i * kc * item)
        return
    whole = rows - rows % MR if a_row == item else 0
    for k in range(0, kc, TOGETHER):
        for i in range(0, whole, MR):
            source, target = a + i * item + k * a_column, panels + (i * kc + k * MR) * item
            if k + TOGETHER < kc and i + tile_span(dtype) <= rows:
                for s in range(TOGETHER):
                    prefetch(source + (s + TOGETHER) * a_column)
                    move_span(dtype, source + s * a_column, target + s * MR * item)
            else:
                for s in range(min(TOGETHER, kc - k)):
                    move_rows(dtype, source + s * a_column, target + s * MR * item)
    for i in range(whole, rows, MR):
        _pack_any(dtype, item, a + i * a_row, a_row, a_column, min(MR, rows - i), MR, kc, panels + i * kc * item)


@njit
def _copy_row(dtype, item, source, count, length, target):
    """Copy `count` adjacent elements and fill up with zeros to `length`."""
    NR = tile_columns(dtype)
    whole = count - count % NR
    for k in range(0, whole, NR):
        move_columns(dtype, source + k * item, target + k * item)
    for k in range(whole, length):
        store(dtype, target + k * item, load(dtype, source + k * item) if k < count else dtype.type(0))


@njit
def panel_strides(dtype, item, a_column, kc):
    """Strides in bytes (row, column) of the panels that `pack_a` makes."""
    if a_column == item:
        return kc * item, item
    return item, tile_rows(dtype) * item
