"""Scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762, section 3.2.1, equation 1).

One core serves every model. What makes models different produces a `bias` or longer k, v: padding,
causal and permutation masks, relative positions, cross-attention (S != T), the KV cache.
"""

from typing import NamedTuple

import numpy as np

from minibert.dispatch import op
from minibert.ops.dropout import keep_scale


class AttentionCache(NamedTuple):
    q: np.ndarray  # (B, H, T, K)
    k: np.ndarray  # (B, H, S, K)
    v: np.ndarray  # (B, H, S, K)
    bias: np.ndarray | None  # broadcasts to (B, H, T, S)
    scale: float
    probs: np.ndarray  # (B, H, T, S) before dropout
    rate: float
    key: int | None


@op
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
    """Attention(Q, K, V) = softmax(scale * Q K^T + bias) V, for each sequence and head.

    q (B, H, T, K), k and v (B, H, S, K), bias broadcasting to (B, H, T, S) or None
    ->  out (B, H, T, K), cache.

    A bias of floats is added to the scores and has a gradient. A bias of booleans is a mask
    (True: may be seen; False: score minus infinity) and has none. A query that may see no key
    yields zeros. The paper's scale is 1 / sqrt(d_k), d_k = K; T5 uses 1. If `causal`, a query sees
    itself and what stands to its left only; the last query is at the place of the last key
    (query t sees the keys up to t + S - T). Dropout with `rate` and `key` acts on the
    probabilities, as in the released BERT.
    """
    scores = scale * (q @ k.swapaxes(-1, -2))  # (B, H, T, S)
    if bias is not None:
        scores = np.where(bias, scores, -np.inf) if bias.dtype == bool else scores + bias  # (B, H, T, S)
    if causal:
        T, S = scores.shape[-2:]
        scores = np.where(np.tri(T, S, S - T, dtype=bool), scores, -np.inf)  # (B, H, T, S)
    probs = softmax(scores)  # (B, H, T, S)
    dropped = probs * keep_scale(probs.shape, rate, key, probs.dtype)  # (B, H, T, S)
    return dropped @ v, AttentionCache(q, k, v, bias, scale, probs, rate, key)  # (B, H, T, K)


@op
def attention_backward(
    dout: np.ndarray, cache: AttentionCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """dout (B, H, T, K)  ->  dq (B, H, T, K), dk and dv (B, H, S, K), dbias (the shape of bias) or None.

    Forward, with P the probabilities and m the dropout multipliers:

        scores = scale q k^T + bias,   P = softmax(scores),   D = m * P,   out = D v

    Backward, undone in reverse:

        dv = D^T dout,   dD = dout v^T,   dP = m * dD

    A score that a mask or the causal order hides has P = 0, and so ds = 0: nothing more to do for them.
    A row of the softmax has P_j = exp(s_j) / Z, so dP_j/ds_i = P_j (1{i = j} - P_i), and

        ds_i = sum_j dP_j P_j (1{i = j} - P_i) = P_i (dP_i - sum_j dP_j P_j)

    Last, dq = scale ds k and dk = scale ds^T q; the bias was added, so dbias is ds, summed over
    the axes along which the bias was broadcast.
    """
    q, k, v, bias, scale, probs, rate, key = cache
    keep = keep_scale(probs.shape, rate, key, probs.dtype)  # (B, H, T, S)
    dv = (keep * probs).swapaxes(-1, -2) @ dout  # (B, H, S, K)
    dprobs = keep * (dout @ v.swapaxes(-1, -2))  # (B, H, T, S)
    dscores = probs * (dprobs - (dprobs * probs).sum(-1, keepdims=True))  # (B, H, T, S)
    dq = scale * (dscores @ k)  # (B, H, T, K)
    dk = scale * (dscores.swapaxes(-1, -2) @ q)  # (B, H, S, K)
    learned = bias is not None and bias.dtype != bool
    return dq, dk, dv, sum_to_shape(dscores, bias.shape) if learned else None


def softmax(scores: np.ndarray) -> np.ndarray:
    """softmax(s)_j = exp(s_j - max s) / sum_i exp(s_i - max s), over the last axis; zeros where all s_j = -inf.

    Subtracting the maximum changes nothing but keeps exp from overflowing.
    """
    maximum = scores.max(-1, keepdims=True, initial=-np.inf)  # (..., 1)
    exp = np.exp(scores - np.where(maximum == -np.inf, 0, maximum))  # (..., S)
    total = exp.sum(-1, keepdims=True)  # (..., 1)
    return exp / np.where(total == 0, 1, total)  # (..., S)


def sum_to_shape(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum x over the axes along which an array of `shape` was broadcast to it."""
    x = x.sum(tuple(range(x.ndim - len(shape))))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and x.shape[i] != 1)
    return x.sum(stretched, keepdims=True)
