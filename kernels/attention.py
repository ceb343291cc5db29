"""Twin of minibert.ops.attention: in tiles, so that the probabilities (B, H, T, S) never exist in memory.

What follows FlashAttention (Dao et al. 2022, arXiv:2205.14135): the scores of some queries and some keys are made,
exponentiated and multiplied by the values while they lie in a core's cache; forward saves two numbers a row, from
which backward makes the probabilities again. `flash_forward` and `flash_backward` hold the compiled loops.
"""

import math
from typing import NamedTuple

import numpy as np
from minibert.kernels import flash_backward, flash_forward
from minibert.kernels.attention_plan import ADDED, MASK, NO_BIAS, TASKS, Settings, plan
from minibert.kernels.dropout import draw
from minibert.kernels.workspace import scratch
from numba import get_num_threads

from minibert.dispatch import REFERENCE

_EMPTY = {np.dtype(t): np.empty((1, 1, 1, 1), t) for t in (np.uint8, np.float32, np.float64)}


class AttentionCache(NamedTuple):
    """What backward needs: no array of it is larger than q, but for the bias that the caller made."""

    q: np.ndarray  # (B, H, T, K)
    k: np.ndarray  # (B, H, S, K)
    v: np.ndarray  # (B, H, S, K)
    bias: np.ndarray | None  # broadcasts to (B, H, T, S)
    scale: float
    causal: bool
    out: np.ndarray  # (B, H, T, K)
    stats: np.ndarray  # (2, B, H, T) of each row of scores: maximum, 1 / sum of e**(score - maximum)
    rate: float
    key: int | None

    @property
    def probs(self) -> np.ndarray:
        """(B, H, T, S) before dropout, for pictures: the reference makes them, anew at each use."""
        return REFERENCE["attention"](self.q, self.k, self.v, self.bias, self.scale, self.causal)[1].probs


def attention(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    bias: np.ndarray | None,
    scale: float,
    causal: bool = False,
    rate: float = 0.0,
    key: int | None = None,
) -> tuple[np.ndarray, AttentionCache]:
    """softmax(scale * q k^T + bias) v.  q (B, H, T, K), k, v (B, H, S, K)  ->  out (B, H, T, K), cache.

    q, k and v are read where they are, whatever their strides. `out` is a view of (B, T, H, K) memory, so that
    merging the heads copies nothing.
    """
    B, H, T, K, S = _sizes(q, k, v)
    out = np.empty((B, T, H, K), q.dtype).swapaxes(1, 2)  # (B, H, T, K)
    stats = np.empty((2, B, H, T), q.dtype)
    if B * H * T * K * S == 0:
        out[...] = 0
    else:
        how, mask, added = _settings(q.dtype, (B, H, T, S), bias, scale, causal, rate, key)
        cut = plan(B * H, T, S, K, q.dtype)
        size = flash_forward.scratch_layout(0, 1, S, K, cut).end
        counter, buffers = _lanes(B * H * cut.chunks, size, q.dtype)
        flash_forward.forward(q.dtype)(q, k, v, mask, added, out, stats, cut, how, counter, buffers)
    return out, AttentionCache(q, k, v, bias, scale, causal, out, stats, rate, key)


def attention_backward(
    dout: np.ndarray, cache: AttentionCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """dout (B, H, T, K)  ->  dq (B, H, T, K), dk and dv (B, H, S, K), dbias (the shape of bias) or None.

    If S = T, the three are views of one array (B, T, 3, H, K), the gradient of a fused projection.
    """
    q, k, v, bias, scale, causal, out, stats, rate, key = cache
    B, H, T, K, S = _sizes(q, k, v)
    if dout.shape != q.shape or dout.dtype != q.dtype:
        raise ValueError(f"dout {dout.shape} {dout.dtype} is not like the output {q.shape} {q.dtype}")
    dq, dk, dv = _gradients(B, H, T, S, K, q.dtype)
    learned = bias is not None and bias.dtype != bool
    if B * H * T * K * S == 0:
        dq[...] = dk[...] = dv[...] = 0
        return dq, dk, dv, np.zeros(bias.shape, q.dtype) if learned else None
    how, mask, added = _settings(q.dtype, (B, H, T, S), bias, scale, causal, rate, key)
    heads, dbias = _slices((B, H, T, S), bias.shape if learned else None, q.dtype)
    cut = plan(B * H, T, S, K, q.dtype)
    size = flash_backward.scratch_layout(0, 1, T, K, cut).end
    counter, buffers = _lanes(dbias.shape[0] * dbias.shape[1], size, q.dtype)
    flash_backward.backward(q.dtype)(
        q, k, v, mask, added, out, stats, dout, dq, dk, dv, dbias, heads, cut, how, counter, buffers
    )
    return dq, dk, dv, dbias.sum(0).reshape(bias.shape) if learned else None


def _sizes(q, k, v):
    """B, H, T, K, S; raises if shapes or dtypes do not fit."""
    if q.ndim != 4 or k.shape != v.shape or (*q.shape[:2], q.shape[3]) != (*k.shape[:2], *k.shape[3:]):
        raise ValueError(f"q {q.shape}, k {k.shape}, v {v.shape} are not (B, H, T, K), (B, H, S, K), (B, H, S, K)")
    if not q.dtype == k.dtype == v.dtype or q.dtype not in _EMPTY or q.dtype.kind != "f":
        raise TypeError(f"q, k, v must all be float32 or all float64, not {q.dtype}, {k.dtype}, {v.dtype}")
    return *q.shape, k.shape[2]


def _settings(dtype, shape, bias, scale, causal, rate, key):
    """(Settings, mask, bias): of the two arrays (B, H, T, S) at most one is real."""
    key_low, key_high, threshold, factor = draw(rate, key, math.prod(shape))
    mask, added, kind = _EMPTY[np.dtype(np.uint8)], _EMPTY[dtype], NO_BIAS
    if bias is not None and bias.dtype == bool:
        mask, kind = _rows(bias, shape).view(np.uint8), MASK
    elif bias is not None:
        added, kind = _rows(bias.astype(dtype, copy=False), shape), ADDED
    how = Settings(float(scale), float(factor), kind, int(causal), key_low, key_high, threshold)
    return how, mask, added


def _rows(bias, shape):
    """Broadcast to (B, H, T, S), with the numbers of a row adjacent: only a bias stretched along S is copied."""
    wide = np.broadcast_to(bias, (*bias.shape[:-1], shape[-1]))
    if wide.shape[-1] > 1 and wide.strides[-1] != wide.itemsize:
        wide = np.ascontiguousarray(wide)
    return np.broadcast_to(wide, shape)


def _gradients(B, H, T, S, K, dtype):
    """dq, dk, dv, uninitialised: (B, H, T|S, K) views, if S = T of one array."""
    if S == T:
        return np.empty((B, T, 3, H, K), dtype).transpose(2, 0, 3, 1, 4)
    dk, dv = np.empty((B, S, 2, H, K), dtype).transpose(2, 0, 3, 1, 4)
    return np.empty((B, T, H, K), dtype).swapaxes(1, 2), dk, dv


def _slices(shape, bias_shape, dtype):
    """heads (slices, n): the numbers of the heads that share a slice of bias; dbias (pieces, slices, T|1, S|1), zeros.

    The heads of a slice are added in their order within a piece, and then the pieces: as many as make enough tasks.
    """
    B, H = shape[:2]
    numbers = np.arange(B * H).reshape(B, H)
    if bias_shape is None:
        return numbers.reshape(-1, 1), np.empty((1, B * H, 0, 0), dtype)
    b, h, rows, columns = (1,) * (4 - len(bias_shape)) + tuple(bias_shape)
    if h == 1 and b != 1:
        heads = numbers  # a slice for each b
    elif b == 1 and h != 1:
        heads = numbers.T  # a slice for each h
    else:
        heads = numbers.reshape(b * h, -1)
    heads = np.ascontiguousarray(heads)
    pieces = min(heads.shape[1], -(-TASKS // len(heads)))
    return heads, np.zeros((pieces, len(heads), rows, columns), dtype)


def _lanes(tasks, size, dtype):
    """A counter of tasks begun, and scratch memory for each thread that can be busy."""
    return np.zeros(1, np.intp), scratch(min(get_num_threads(), tasks), -(-size // 16) * 16, dtype)
