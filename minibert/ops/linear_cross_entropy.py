"""Vocabulary projection and cross-entropy as one op, so that a backend need not keep the logits."""

from typing import NamedTuple

import numpy as np

from minibert.dispatch import op
from minibert.ops.cross_entropy import CrossEntropyCache, cross_entropy, cross_entropy_backward
from minibert.ops.linear import LinearCache, linear, linear_backward


class LinearCrossEntropyCache(NamedTuple):
    linear: LinearCache
    cross_entropy: CrossEntropyCache
    predictions: np.ndarray  # (N,) the class with the largest logit


@op
def linear_cross_entropy(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, labels: np.ndarray, count: int | None = None
) -> tuple[np.floating, LinearCrossEntropyCache]:
    """L = cross_entropy(x W + b, labels).

    x (N, D), weight (D, V), bias (V,), labels (N,)  ->  L (scalar), cache. `count` is that of
    `cross_entropy`. The cache also tells which class was predicted.
    """
    logits, linear_cache = linear(x, weight, bias)  # (N, V)
    loss, loss_cache = cross_entropy(logits, labels, count)
    return loss, LinearCrossEntropyCache(linear_cache, loss_cache, logits.argmax(-1))


@op
def linear_cross_entropy_backward(
    dloss: float, cache: LinearCrossEntropyCache
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """dloss (scalar)  ->  dx (N, D), dweight (D, V), dbias (V,)."""
    dlogits = cross_entropy_backward(dloss, cache.cross_entropy)  # (N, V)
    return linear_backward(dlogits, cache.linear)
