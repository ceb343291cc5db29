"""Multi-head self-attention with its projections (Vaswani et al. 2017, section 3.2.2)."""

import math
from typing import NamedTuple

import numpy as np

from minibert.blocks.past import LayerPast
from minibert.blocks.projection import ProjectionCache, projection, projection_backward
from minibert.ops import attention, attention_backward, fold_in
from minibert.ops.attention import AttentionCache
from minibert.tree import Tree


class SelfAttentionCache(NamedTuple):
    qkv: ProjectionCache
    core: AttentionCache
    output: ProjectionCache


def self_attention(
    x: np.ndarray,
    p: Tree,
    heads: int,
    bias: np.ndarray | None,
    rate: float = 0.0,
    key: int | None = None,
    causal: bool = False,
    past: LayerPast | None = None,
) -> tuple[np.ndarray, SelfAttentionCache]:
    """MultiHead(X) = Concat(head_1, ..., head_H) W^O,  head_h = Attention(X W_h^Q, X W_h^K, X W_h^V).

    x (B, T, D), p {qkv: weight (D, 3D) and bias, output: weight (D, D) and bias},
    bias broadcasting to (B, H, T, S) or None  ->  y (B, T, D), cache.

    Every head has its own W^Q, W^K and W^V, of K = D / H columns. They stand side by side in
    one matrix [W_1^Q ... W_H^Q | W_1^K ... W_H^K | W_1^V ... W_H^V], so one product makes all.
    If `causal`, a position sees itself and what stands to its left. S = T, or more with a `past`,
    whose keys and values stand to the left of x.
    """
    qkv, qkv_cache = projection(x, p["qkv"], fold_in(key, 0))  # (B, T, 3D)
    q, k, v = split_heads(qkv, heads)  # (B, H, T, K) each
    if past is not None:
        k, v = past.append(k, v)  # (B, H, S, K) each
    out, core = attention(q, k, v, bias, 1 / math.sqrt(q.shape[-1]), causal, rate, key)  # (B, H, T, K)
    y, output_cache = projection(merge_heads(out), p["output"], fold_in(key, 1))  # (B, T, D)
    return y, SelfAttentionCache(qkv_cache, core, output_cache)


def self_attention_backward(dy: np.ndarray, cache: SelfAttentionCache) -> tuple[np.ndarray, Tree]:
    """dy (B, T, D)  ->  dx (B, T, D), gradients of p. Not for a forward with a past: it was not learned from."""
    dmerged, doutput = projection_backward(dy, cache.output)  # (B, T, D)
    B, H, T, K = cache.core.q.shape
    dout = dmerged.reshape(B, T, H, K).swapaxes(1, 2)  # (B, H, T, K)
    dq, dk, dv, _ = attention_backward(dout, cache.core)  # (B, H, T, K) each
    dqkv = fuse(dq, dk, dv)  # (B, T, 3D)
    dx, dp = projection_backward(dqkv, cache.qkv)  # (B, T, D)
    return dx, {"qkv": dp, "output": doutput}


def split_heads(qkv: np.ndarray, heads: int) -> np.ndarray:
    """(B, T, 3D) -> (3, B, H, T, K), a view: nothing is copied."""
    B, T, D3 = qkv.shape
    return qkv.reshape(B, T, 3, heads, D3 // (3 * heads)).transpose(2, 0, 3, 1, 4)


def merge_heads(out: np.ndarray) -> np.ndarray:
    """(B, H, T, K) -> (B, T, H K)."""
    B, H, T, K = out.shape
    return out.swapaxes(1, 2).reshape(B, T, H * K)


def fuse(dq: np.ndarray, dk: np.ndarray, dv: np.ndarray) -> np.ndarray:
    """Three (B, H, T, K) -> (B, T, 3 H K), what `split_heads` took apart.

    A backend that wrote the three side by side, as parts of one (B, T, 3, H, K), has left nothing to copy.
    """
    B, H, T, K = dq.shape
    whole = dq.base
    if whole is not None and whole is dk.base and whole is dv.base and whole.shape == (B, T, 3, H, K):
        return whole.reshape(B, T, 3 * H * K)
    return np.concatenate([merge_heads(d) for d in (dq, dk, dv)], axis=-1)
