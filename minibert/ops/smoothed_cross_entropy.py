"""Cross-entropy with label smoothing (Szegedy et al. 2016, arXiv:1512.00567, section 7)."""

import math
from typing import NamedTuple

import numpy as np

from minibert.dispatch import op
from minibert.ops.cross_entropy import IGNORE_INDEX


class SmoothedCrossEntropyCache(NamedTuple):
    probs: np.ndarray  # (n, V) at the targets only
    labels: np.ndarray  # (n,)
    targets: np.ndarray  # (n,) their places among all N
    epsilon: float
    count: int
    shape: tuple[int, ...]  # of the logits


@op
def smoothed_cross_entropy(
    logits: np.ndarray, labels: np.ndarray, epsilon: float, count: int | None = None
) -> tuple[np.floating, SmoothedCrossEntropyCache]:
    """L = -(1/n) sum over targets t of (1 - epsilon) log p_t[y_t] + (epsilon / V) sum_v log p_t[v].

    logits (..., V), labels y (...) integers in 0..V-1, or -100 at positions that are no target,
    0 <= epsilon <= 1  ->  L (scalar of the logits' dtype), cache.

    It is the cross-entropy with the distribution q = (1 - epsilon) 1{v = y} + epsilon / V in place of the label,
    which keeps the model from being surer than the labels are. p = softmax(logits); `count` replaces n, see
    `cross_entropy`, which this is with epsilon 0.
    """
    V = logits.shape[-1]
    labels = labels.reshape(math.prod(logits.shape[:-1]))  # (N,)
    targets = np.flatnonzero(labels != IGNORE_INDEX)  # (n,)
    labels = labels[targets]  # (n,)
    count = max(1, len(targets)) if count is None else count
    z = logits.reshape(-1, V)[targets]  # (n, V)
    z = z - z.max(-1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(-1, keepdims=True))  # (n, V)
    at_label = log_p[np.arange(len(labels)), labels]  # (n,)
    loss = -((1 - epsilon) * at_label + epsilon * log_p.mean(-1)).sum() / z.dtype.type(count)
    return loss, SmoothedCrossEntropyCache(np.exp(log_p), labels, targets, epsilon, count, logits.shape)


@op
def smoothed_cross_entropy_backward(dloss: float, cache: SmoothedCrossEntropyCache) -> np.ndarray:
    """dloss (scalar)  ->  dlogits (..., V). Labels have no gradient.

    One term is -sum_v q_v log p_v = log sum_v exp(z_v) - sum_v q_v z_v, because q sums to one. Its
    derivative by z_v is p_v - q_v: what the model believes minus the smoothed truth.
    """
    probs, labels, targets, epsilon, count, shape = cache
    V = shape[-1]
    difference = probs - probs.dtype.type(epsilon / V)  # (n, V)
    difference[np.arange(len(labels)), labels] -= 1 - epsilon
    dlogits = np.zeros((int(np.prod(shape[:-1])), V), probs.dtype)  # (N, V)
    dlogits[targets] = difference * probs.dtype.type(dloss / count)
    return dlogits.reshape(shape)
