"""The parts that attention forward and backward are made of: products of tiles, and what happens to rows of scores.

A *tile* is a block of the scores, some query rows by some key columns, in scratch memory of the core that works on
it. All operands of the products are packed or scratch, padded to whole register tiles, so that no product asks
whether it stands at an edge; what it computes beyond the edge is never used.

Causal tiles: within a tile, query row i sees the columns j <= i + diagonal. The products leave out the register
tiles that nobody sees, and the steps of k that would multiply by zeros. Without causality the diagonal is far away.
"""

from typing import NamedTuple

import numpy as np
from minibert.kernels.attention_plan import MASK
from minibert.kernels.attention_rows import bias_row, fill, scaled_copy
from minibert.kernels.compile import compiled_once
from minibert.kernels.memory import address, prefetch
from minibert.kernels.microkernel import multiply_tile
from minibert.kernels.packing import pack_b, tile_columns, tile_rows
from numba import njit

# A compiled function that calls compiled functions contains them, and LLVM works through them again: so what is called
# from several places is compiled as a `helper`, and what is called from one place is pasted into its caller.
helper = njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, error_model="numpy")
pasted = njit(inline="always", no_cpython_wrapper=True, no_cfunc_wrapper=True)
FAR = 1 << 40  # a diagonal beyond every tile
LINE = 64  # bytes that memory hands over at once
AHEAD = 12  # rows that are asked for before they are needed


class Head(NamedTuple):
    """One head (b, h) of the scores."""

    T: int
    S: int
    bias: int  # address of its bias or mask (T, S)
    bias_row: int  # stride in bytes
    bias_item: int
    first: int  # number of its first element among all of (B, H, T, S): dropout counts them


@pasted
def find_head(mask, bias, kind, b, h, H, T, S):
    """The head (b, h); mask and bias are (B, H, T, S), with stride 0 where they were broadcast."""
    first = (b * H + h) * T * S
    if kind == MASK:
        at = address(mask) + b * mask.strides[0] + h * mask.strides[1]
        return Head(T, S, at, mask.strides[2], mask.itemsize, first)
    at = address(bias) + b * bias.strides[0] + h * bias.strides[1]
    return Head(T, S, at, bias.strides[2], bias.itemsize, first)


@helper
def start(x, b, h):
    """Address of the matrix x[b, h]."""
    return address(x) + b * x.strides[0] + h * x.strides[1]


@helper
def fetch(x, x_row, rows, length):
    """Ask for rows of `length` bytes, to be read soon. They lie far apart: the processor does not foresee the next."""
    for i in range(rows):
        for at in range(0, length, LINE):
            prefetch(x + i * x_row + at)


@helper
def copy_rows(dtype, item, x, x_row, x_column, rows, columns, factor, target):
    """Copy factor * x, a strided matrix, to adjacent rows, and zeros to what is missing to whole register tiles."""
    compiled_once()
    for i in range(rows):
        at = x + i * x_row
        fetch(at + AHEAD * x_row, 0, 1, columns * item)
        scaled_copy(dtype, item, at, x_column, columns, dtype.type(factor), target + i * columns * item, item)
    missing = -rows % tile_rows(dtype)
    fill(dtype, target + rows * columns * item, missing * columns, dtype.type(0))


@helper
def pack_transposed(dtype, item, x, x_row, x_column, rows, columns, target):
    """Pack the transpose of x (rows, columns) into panels."""
    compiled_once()
    NR = tile_columns(dtype)
    for i in range(0, rows, NR):
        fetch(x + (i + NR) * x_row, x_row, NR, columns * item)
        pack_b(dtype, item, x + i * x_row, x_column, x_row, columns, min(NR, rows - i), target + i * columns * item)


@helper
def multiply_seen(dtype, item, a, a_row, panels, kc, c, c_row, rows, columns, diagonal):
    """C = A B for the register tiles of C (rows, columns) that hold a number on or below the diagonal.

    a, panels, c: addresses; A (rows, kc) contiguous along k, B packed into panels of (kc, NR). Strides in bytes.
    """
    compiled_once()
    MR, NR = tile_rows(dtype), tile_columns(dtype)
    for j in range(0, columns, NR):  # a panel of B stays in the first-level cache
        first = max(0, j - diagonal) // MR * MR  # the rows before do not see column j
        for i in range(first, rows, MR):
            _tile(dtype, a + i * a_row, a_row, item, panels + j * kc * item, kc, c + i * c_row + j * item, c_row, 0)


@helper
def multiply_between(dtype, item, a, a_row, a_column, panels, kc, c, c_row, rows, columns, low, high, add):
    """C (+)= A B, where row i of A is zero for k < i + low and for k >= i + high.

    The tile whose first row is i takes only the steps of k from i + low up to the last row's end.
    """
    compiled_once()
    MR, NR = tile_rows(dtype), tile_columns(dtype)
    for j in range(0, columns, NR):
        panel = panels + j * kc * item
        for i in range(0, rows, MR):
            k = max(0, i + low)
            steps = max(0, min(kc, i + MR - 1 + high) - k)
            at, block = c + i * c_row + j * item, a + i * a_row + k * a_column
            _tile(dtype, block, a_row, a_column, panel + k * NR * item, steps, at, c_row, add)


@helper
def _tile(dtype, a, a_row, a_column, panel, kc, c, c_row, add):
    """The register tile, compiled once and called: its many instructions need not stand in every product."""
    multiply_tile(dtype, a, a_row, a_column, panel, kc, c, c_row, add)


@pasted
def finish_row(dtype, item, scores, columns, head, how, t, j, skip):
    """Make row t of a tile (key j on) of raw products to scores; return how many columns count.

    Keys beyond the diagonal get minus infinity, or, if the products `skip` them, are not counted at all.
    """
    seen = max(0, min(columns, t + head.S - head.T - j + 1)) if how.causal else columns
    bias_row(dtype, scores, seen, how.kind, head.bias + t * head.bias_row + j * head.bias_item)
    if skip:
        return seen
    fill(dtype, scores + seen * item, columns - seen, dtype.type(-np.inf))
    return columns
