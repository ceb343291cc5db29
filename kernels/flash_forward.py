"""The compiled loop of attention forward.

    for each task, some queries of one head, taken by whichever thread is free
        pack K^T and V into panels
        for each tile of query rows
            for each block of keys
                s = Q K^T, then row by row the softmax so far        the tile stays in the second-level cache
                sums = e**(change of the maximum) * sums + P V       a panel of V in the first
            out = sums / total

The softmax over a row that comes in pieces ("online softmax", Milakov & Gimelshein 2018): each piece uses the maximum
known by then, and what was summed before is scaled down when the maximum grows.
"""

from typing import NamedTuple

import numpy as np
from minibert.kernels.attention_plan import PLAN, SETTINGS, Plan
from minibert.kernels.attention_rows import (
    drop_row,
    exp_negative,
    exponentiate,
    fill,
    finite,
    largest,
    scale_row,
    scaled_copy,
)
from minibert.kernels.attention_tiles import (
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
from minibert.kernels.packing import pack_b, tile_columns, tile_rows
from numba import prange, types
from numba.extending import register_jitable


class Scratch(NamedTuple):
    """Addresses of a thread's scratch memory."""

    keys: int  # panels of K^T (K, S)
    values: int  # panels of V, one block of keys after another
    queries: int  # (rows, K)
    scores: int  # (rows, stride)
    sums: int  # (rows, width)
    maximum: int  # (rows,) of the scores so far
    total: int  # (rows,) of the exponentials so far
    end: int


@register_jitable
def scratch_layout(at: int, item: int, S: int, K: int, plan: Plan) -> Scratch:
    """Lay out the scratch memory from address `at` on; with at 0 and item 1, `end` is its size in numbers."""
    values = at + (S + plan.columns) * K * item
    queries = values + S * plan.width * item
    scores = queries + plan.rows * K * item
    sums = scores + plan.rows * plan.stride * item
    maximum = sums + plan.rows * plan.width * item
    total = maximum + plan.rows * item
    return Scratch(at, values, queries, scores, sums, maximum, total, total + plan.rows * item)


def _forward(q, k, v, mask, bias, out, stats, plan, how, counter, buffers):
    """q, k, v, out (B, H, T|S, K); mask or bias (B, H, T, S); stats (2, B, H, T): maximum, 1 / total of each row."""
    for lane in prange(len(buffers)):
        _lane(q, k, v, mask, bias, out, stats, plan, how, counter, buffers[lane])


@compiled(_forward)
def forward(dtype: np.dtype) -> types.Type:
    """The types of its arguments: `forward(dtype)` is the compiled forward pass."""
    number = types.float32 if dtype == np.float32 else types.float64
    read, write = types.Array(number, 4, "A", readonly=True), types.Array(number, 4, "A")
    mask = types.Array(types.uint8, 4, "A", readonly=True)
    return types.void(
        *(read, read, read, mask, read, write, types.Array(number, 4, "C"), PLAN, SETTINGS),
        *(types.Array(types.intp, 1, "C"), types.Array(number, 2, "C")),
    )


@helper
def _lane(q, k, v, mask, bias, out, stats, plan, how, counter, buffer):
    B, H = q.shape[:2]
    task = fetch_add(counter)
    while task < B * H * plan.chunks:
        b, h = divmod(task // plan.chunks, H)
        _task(q, k, v, mask, bias, out, stats, plan, how, b, h, task % plan.chunks * plan.chunk, buffer)
        task = fetch_add(counter)


@pasted
def _task(q, k, v, mask, bias, out, stats, plan, how, b, h, first, buffer):
    """Queries first, first + 1, ... of head (b, h)."""
    dtype, item = q.dtype, q.itemsize
    T, K, S = q.shape[2], q.shape[3], k.shape[2]
    part = scratch_layout(address(buffer), item, S, K, plan)
    head = find_head(mask, bias, how.kind, b, h, q.shape[1], T, S)
    _pack_keys(dtype, item, start(k, b, h), k.strides, start(v, b, h), v.strides, K, S, plan, part)
    # 0 * inf is NaN, in the reference also beyond the diagonal: such a head is computed in full
    skip = how.causal != 0 and finite(dtype, item, start(v, b, h), v.strides[2], v.strides[3], S, K)
    end = min(T, first + plan.chunk)
    for t in range(first, end, plan.rows):
        rows = min(plan.rows, end - t)
        at = start(q, b, h) + t * q.strides[2]
        copy_rows(dtype, item, at, q.strides[2], q.strides[3], rows, K, how.scale, part.queries)
        _attend(dtype, item, head, K, t, rows, plan, how, part, skip)
        fetch(start(out, b, h) + t * out.strides[2], out.strides[2], rows, K * item)
        for i in range(rows):
            total = load(dtype, part.total + i * item)
            inverse = dtype.type(1) / total if total != 0 else dtype.type(1)
            maximum = load(dtype, part.maximum + i * item)
            stats[0, b, h, t + i] = dtype.type(0) if maximum == -np.inf else maximum
            stats[1, b, h, t + i] = inverse
            at = start(out, b, h) + (t + i) * out.strides[2]
            factor = inverse * dtype.type(how.factor)
            scaled_copy(dtype, item, part.sums + i * plan.width * item, item, K, factor, at, out.strides[3])


@pasted
def _pack_keys(dtype, item, k, k_strides, v, v_strides, K, S, plan, part):
    """Pack K^T and, a block of keys after another, V."""
    NR = tile_columns(dtype)
    for j in range(0, S, plan.columns):
        rows = min(plan.columns, S - j)
        for i in range(j, j + rows, NR):
            fetch(v + i * v_strides[2], v_strides[2], NR, K * item)  # will be there when the keys are done
            at, count = k + i * k_strides[2], min(NR, S - i)
            pack_transposed(dtype, item, at, k_strides[2], k_strides[3], count, K, part.keys + i * K * item)
        values = part.values + j * plan.width * item
        pack_b(dtype, item, v + j * v_strides[2], v_strides[2], v_strides[3], rows, K, values)


@pasted
def _attend(dtype, item, head, K, t, rows, plan, how, part, skip):
    """One tile of query rows, from t on, against all keys: sums (rows, width), maximum and total (rows,)."""
    for j in range(0, head.S, plan.columns):
        columns = min(plan.columns, head.S - j)
        diagonal = t + head.S - head.T - j if skip else FAR  # row i meets the columns <= i + diagonal
        if j > 0 and rows - 1 + diagonal < 0:
            break
        keys, values = part.keys + j * K * item, part.values + j * plan.width * item
        stride, width = plan.stride * item, plan.width * item
        multiply_seen(dtype, item, part.queries, K * item, keys, K, part.scores, stride, rows, columns, diagonal)
        for i in range(rows):
            _row(dtype, item, head, t, i, j, columns, plan, how, part, skip)
        multiply_between(
            dtype, item, part.scores, stride, item, values, columns, part.sums, width, rows, plan.width,
            -FAR, diagonal + 1, int(j > 0),
        )  # fmt: skip


@pasted
def _row(dtype, item, head, t, i, j, columns, plan, how, part, skip):
    """Row i of a tile: from raw products to e**(score - maximum), dropped."""
    scores = part.scores + i * plan.stride * item
    at_maximum, at_total = part.maximum + i * item, part.total + i * item
    count = finish_row(dtype, item, scores, columns, head, how, t + i, j, skip)
    before = load(dtype, at_maximum) if j > 0 else dtype.type(-np.inf)
    maximum = largest(dtype, scores, count, before)
    shift = maximum if maximum > -np.inf else dtype.type(0)  # nothing seen so far: every exponential is 0
    total = exponentiate(dtype, scores, count, shift)
    if j > 0:
        shrink = exp_negative(before - shift)
        total += load(dtype, at_total) * shrink
        scale_row(dtype, part.sums + i * plan.width * item, plan.width, shrink)
    store(dtype, at_maximum, maximum)
    store(dtype, at_total, total)
    if how.threshold != 0:
        first = head.first + (t + i) * head.S + j
        drop_row(dtype, scores, count, first, how.key_low, how.key_high, how.threshold)
    if skip:  # a register tile takes the columns that its last row sees
        fill(dtype, scores + count * item, tile_rows(dtype), dtype.type(0))
