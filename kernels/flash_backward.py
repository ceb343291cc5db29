"""The compiled loop of attention backward. A task is a whole head, or some heads that share a slice of bias.

    for each task
        pack Q and dO, as rows and as panels
        for each block of keys
            pack K^T and V^T and K into panels
            for each tile of query rows
                s = Q K^T, dD = dO V^T, then row by row D and ds     both tiles stay in the second-level cache
                dv += D^T dO, dk += ds^T Q, dq += ds K
            write dk, dv
        write dq

The probabilities are computed a second time from the maximum and the total that forward saved of each row (Dao et
al. 2022, arXiv:2205.14135): e**x on numbers in cache is cheaper than the way to memory and back.
"""

from typing import NamedTuple

import numpy as np
from minibert.kernels.attention_plan import PLAN, SETTINGS, Plan
from minibert.kernels.attention_rows import (
    add_row,
    backward_row,
    fill,
    finite,
    row_product,
    scaled_copy,
)
from minibert.kernels.attention_tiles import (
    AHEAD,
    FAR,
    copy_rows,
    fetch,
    find_head,
    finish_row,
    helper,
    multiply_between,
    multiply_seen,
    pack_transposed,
    pasted,
    start,
)
from minibert.kernels.compile import compiled
from minibert.kernels.memory import address, fetch_add, load, store
from minibert.kernels.packing import pack_b, tile_rows
from numba import prange, types
from numba.extending import register_jitable


class Scratch(NamedTuple):
    """Addresses of a thread's scratch memory: all of a head's queries, and one block of its keys."""

    queries: int  # (T, K)
    douts: int  # (T, K)
    query_panels: int  # one tile of rows after another
    dout_panels: int
    dq: int  # (T, width)
    products: int  # (T,) dout . out
    keys: int  # panels of K^T (K, columns)
    values: int  # panels of V^T
    key_panels: int  # panels of K
    dk: int  # (columns, width)
    dv: int
    scores: int  # (rows, stride)
    dscores: int
    end: int


@register_jitable
def scratch_layout(at: int, item: int, T: int, K: int, plan: Plan) -> Scratch:
    """Lay out the scratch memory from address `at` on; with at 0 and item 1, `end` is its size in numbers."""
    whole = -(-T // plan.rows) * plan.rows  # T rounded up to whole tiles
    columns = plan.columns + plan.rows  # rounded up to whole register tiles at least
    douts = at + whole * K * item
    query_panels = douts + whole * K * item
    dout_panels = query_panels + whole * plan.width * item
    dq = dout_panels + whole * plan.width * item
    products = dq + whole * plan.width * item
    keys = products + whole * item
    values = keys + columns * K * item
    key_panels = values + columns * K * item
    dk = key_panels + columns * plan.width * item
    dv = dk + columns * plan.width * item
    scores = dv + columns * plan.width * item
    dscores = scores + plan.rows * plan.stride * item
    end = dscores + plan.rows * plan.stride * item
    return Scratch(
        at, douts, query_panels, dout_panels, dq, products, keys, values, key_panels, dk, dv, scores, dscores, end
    )


def _backward(q, k, v, mask, bias, out, stats, dout, dq, dk, dv, dbias, heads, plan, how, counter, buffers):
    """q, out, dout, dq (B, H, T, K), k, v, dk, dv (B, H, S, K); mask or bias (B, H, T, S); stats (2, B, H, T).

    heads (slices, n): the heads that share a slice of bias; dbias (pieces, slices, T or 1, S or 1), or empty if no
    gradient is wanted: each task adds up a piece of a slice's heads.
    """
    for lane in prange(len(buffers)):
        _lane(q, k, v, mask, bias, out, stats, dout, dq, dk, dv, dbias, heads, plan, how, counter, buffers[lane])


@compiled(_backward)
def backward(dtype: np.dtype) -> types.Type:
    """The types of its arguments: `backward(dtype)` is the compiled backward pass."""
    number = types.float32 if dtype == np.float32 else types.float64
    read, write = types.Array(number, 4, "A", readonly=True), types.Array(number, 4, "A")
    mask = types.Array(types.uint8, 4, "A", readonly=True)
    return types.void(
        *(read, read, read, mask, read, read, types.Array(number, 4, "C"), read, write, write, write),
        *(types.Array(number, 4, "C"), types.Array(types.intp, 2, "C"), PLAN, SETTINGS),
        *(types.Array(types.intp, 1, "C"), types.Array(number, 2, "C")),
    )


@helper
def _lane(q, k, v, mask, bias, out, stats, dout, dq, dk, dv, dbias, heads, plan, how, counter, buffer):
    pieces, slices = dbias.shape[:2]
    task = fetch_add(counter)
    while task < pieces * slices:
        piece, number = divmod(task, slices)
        each = -(-heads.shape[1] // pieces)
        for i in range(piece * each, min(heads.shape[1], (piece + 1) * each)):
            b, h = divmod(heads[number, i], q.shape[1])
            gradient = dbias[piece, number]
            _head(q, k, v, mask, bias, out, stats, dout, dq, dk, dv, gradient, plan, how, b, h, buffer)
        task = fetch_add(counter)


@pasted
def _head(q, k, v, mask, bias, out, stats, dout, dq, dk, dv, dbias, plan, how, b, h, buffer):
    dtype, item = q.dtype, q.itemsize
    T, K, S = q.shape[2], q.shape[3], k.shape[2]
    part = scratch_layout(address(buffer), item, T, K, plan)
    head = find_head(mask, bias, how.kind, b, h, q.shape[1], T, S)
    _pack_queries(dtype, item, start(q, b, h), q.strides, K, T, plan, how.scale, part.queries, part.query_panels)
    _pack_queries(dtype, item, start(dout, b, h), dout.strides, K, T, plan, 1.0, part.douts, part.dout_panels)
    for t in range(T):
        at = start(out, b, h) + t * out.strides[2]
        fetch(at + AHEAD * out.strides[2], 0, 1, K * item)
        store(dtype, part.products + t * item, row_product(dtype, item, part.douts + t * K * item, at, K))
    # 0 * inf is NaN, in the reference also beyond the diagonal: such a head is computed in full
    skip = (
        how.causal != 0
        and finite(dtype, item, part.queries, 0, item, 1, T * K)
        and finite(dtype, item, part.douts, 0, item, 1, T * K)
        and finite(dtype, item, start(k, b, h), k.strides[2], k.strides[3], S, K)
        and finite(dtype, item, start(v, b, h), v.strides[2], v.strides[3], S, K)
    )
    for j in range(0, S, plan.columns):
        columns = min(plan.columns, S - j)
        keys, values = start(k, b, h) + j * k.strides[2], start(v, b, h) + j * v.strides[2]
        pack_transposed(dtype, item, keys, k.strides[2], k.strides[3], columns, K, part.keys)
        pack_transposed(dtype, item, values, v.strides[2], v.strides[3], columns, K, part.values)
        pack_b(dtype, item, keys, k.strides[2], k.strides[3], columns, K, part.key_panels)
        first = max(0, j - (S - T)) // plan.rows * plan.rows if skip and j > 0 else 0  # tiles before see no key
        for t in range(first, T, plan.rows):
            rows = min(plan.rows, T - t)
            _tile(dtype, item, head, stats[:, b, h], dbias, K, t, rows, j, columns, t > first, plan, how, part, skip)
        _write(dtype, item, part.dk, columns, K, 1.0, plan, start(dk, b, h) + j * dk.strides[2], dk.strides)
        _write(dtype, item, part.dv, columns, K, 1.0, plan, start(dv, b, h) + j * dv.strides[2], dv.strides)
    _write(dtype, item, part.dq, T, K, how.scale, plan, start(dq, b, h), dq.strides)


@helper
def _pack_queries(dtype, item, x, strides, K, T, plan, scale, rows, panels):
    """Pack scale * x (T, K) for both sides of a product: as rows, and tile by tile as panels."""
    copy_rows(dtype, item, x, strides[2], strides[3], T, K, scale, rows)
    for t in range(0, T, plan.rows):
        count = min(plan.rows, T - t)
        pack_b(dtype, item, rows + t * K * item, K * item, item, count, K, panels + t * plan.width * item)


@helper
def _write(dtype, item, source, rows, K, factor, plan, target, strides):
    for i in range(rows):
        at = target + i * strides[2]
        fetch(at + AHEAD * strides[2], 0, 1, K * item)
        scaled_copy(dtype, item, source + i * plan.width * item, item, K, dtype.type(factor), at, strides[3])


@pasted
def _tile(dtype, item, head, stats, dbias, K, t, rows, j, columns, add, plan, how, part, skip):
    """One tile of scores, query t and key j on: what it adds to dq, dk, dv and dbias."""
    diagonal = t + head.S - head.T - j if skip else FAR  # row i meets the columns <= i + diagonal
    stride, width = plan.stride * item, plan.width * item
    queries, douts = part.queries + t * K * item, part.douts + t * K * item
    multiply_seen(dtype, item, queries, K * item, part.keys, K, part.scores, stride, rows, columns, diagonal)
    multiply_seen(dtype, item, douts, K * item, part.values, K, part.dscores, stride, rows, columns, diagonal)
    for i in range(rows):
        scores, dscores = part.scores + i * stride, part.dscores + i * stride
        count = finish_row(dtype, item, scores, columns, head, how, t + i, j, skip)
        first = head.first + (t + i) * head.S + j
        product = load(dtype, part.products + (t + i) * item)
        backward_row(
            dtype, scores, dscores, count, stats[0, t + i], stats[1, t + i], product,
            first, how.key_low, how.key_high, how.threshold, how.factor,
        )  # fmt: skip
        if skip:  # a register tile takes the columns that its last row sees
            fill(dtype, scores + count * item, tile_rows(dtype), dtype.type(0))
            fill(dtype, dscores + count * item, tile_rows(dtype), dtype.type(0))
        if dbias.size > 0:
            row, column = 0 if dbias.shape[0] == 1 else t + i, 0 if dbias.shape[1] == 1 else j
            at = address(dbias) + row * dbias.strides[0] + column * item
            add_row(dtype, dscores, count, at, dbias.shape[1] == 1 and head.S > 1)
    dout_panels, query_panels = part.dout_panels + t * width, part.query_panels + t * width
    for a, panels, c in ((part.scores, dout_panels, part.dv), (part.dscores, query_panels, part.dk)):
        multiply_between(
            dtype, item, a, item, stride, panels, rows, c, width, columns, plan.width, -diagonal, FAR, int(add)
        )
    multiply_between(
        dtype, item, part.dscores, stride, item, part.key_panels, columns, part.dq + t * width, width, rows, plan.width,
        -FAR, diagonal + 1, int(j > 0),
    )  # fmt: skip
