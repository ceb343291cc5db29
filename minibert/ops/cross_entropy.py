"""Cross-entropy of a softmax over classes: the loss of MLM, NSP and CLM."""

import math
from typing import NamedTuple

import numpy as np

from minibert.dispatch import op

IGNORE_INDEX = -100  # the label of a position that is no target, as in PyTorch


class CrossEntropyCache(NamedTuple):
    probs: np.ndarray  # (N, V)
    labels: np.ndarray  # (N,)
    count: int
    shape: tuple[int, ...]  # of the logits


@op
def cross_entropy(
    logits: np.ndarray, labels: np.ndarray, count: int | None = None
) -> tuple[np.floating, CrossEntropyCache]:
    """L = -(1/n) sum over targets t of log p_t[y_t],  p_t = softmax(logits_t).

    logits (..., V), labels y (...) integers in 0..V-1, or -100 at positions that are no target
    ->  L (scalar of the logits' dtype), cache.

    n is `count`, or by default the number of targets, which makes L their mean. Giving the
    count of a larger batch makes the losses of its parts add up to that of the whole. Without
    any target L = 0.
    """
    V = logits.shape[-1]
    labels = labels.reshape(math.prod(logits.shape[:-1]))  # (N,)
    targets = np.flatnonzero(labels != IGNORE_INDEX)  # (n,)
    count = max(1, len(targets)) if count is None else count
    z = logits.reshape(-1, V)  # (N, V)
    z = z - z.max(-1, keepdims=True)  # (N, V)
    exp = np.exp(z)  # (N, V)
    total = exp.sum(-1, keepdims=True)  # (N, 1)
    log_p = z[targets, labels[targets]] - np.log(total[targets, 0])  # (n,)
    return -log_p.sum() / z.dtype.type(count), CrossEntropyCache(exp / total, labels, count, logits.shape)


@op
def cross_entropy_backward(dloss: float, cache: CrossEntropyCache) -> np.ndarray:
    """dloss (scalar)  ->  dlogits (..., V). Labels have no gradient.

    For one target, -log p[y] = log sum_v exp(z_v) - z_y, whose derivative by z_v is
    p_v - 1{v = y}: what the model believes minus what is true. Positions that are no target
    get zeros.
    """
    probs, labels, count, shape = cache
    targets = np.flatnonzero(labels != IGNORE_INDEX)  # (n,)
    difference = probs[targets]  # (n, V)
    difference[np.arange(len(targets)), labels[targets]] -= 1
    dlogits = np.zeros_like(probs)  # (N, V)
    dlogits[targets] = difference * probs.dtype.type(dloss / count)
    return dlogits.reshape(shape)
