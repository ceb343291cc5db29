"""The losses of tasks, from logits to a number."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minibert.blocks.losses import LossPart
from minibert.ops import (
    IGNORE_INDEX,
    binary_cross_entropy,
    binary_cross_entropy_backward,
    cross_entropy,
    cross_entropy_backward,
    mean_squared_error,
    mean_squared_error_backward,
    smoothed_cross_entropy,
    smoothed_cross_entropy_backward,
)


class TaskLossCache(NamedTuple):
    backward: Callable  # (dloss, cache) -> dlogits: that of the op which computed the loss
    cache: Any


class SpanLossCache(NamedTuple):
    start: TaskLossCache
    end: TaskLossCache


def single_label_loss(
    logits: np.ndarray, labels: np.ndarray, count: int | None, smoothing: float = 0.0
) -> tuple[LossPart, TaskLossCache]:
    """One class of C is right: cross-entropy, with smoothed labels if `smoothing` is not 0.

    logits (..., C), labels (...) of 0..C-1, or -100 where there is no target  ->  loss, cache.
    """
    if smoothing:
        loss, cache = smoothed_cross_entropy(logits, labels, smoothing, count)
    else:
        loss, cache = cross_entropy(logits, labels, count)
    counted = labels != IGNORE_INDEX
    correct = int(((logits.argmax(-1) == labels) & counted).sum())
    backward = smoothed_cross_entropy_backward if smoothing else cross_entropy_backward
    return LossPart(float(loss), correct, int(counted.sum())), TaskLossCache(backward, cache)


def multi_label_loss(logits: np.ndarray, labels: np.ndarray, count: int | None) -> tuple[LossPart, TaskLossCache]:
    """Any of C classes may be right: the mean cross-entropy of B C decisions, each right or wrong by itself.

    logits (B, C), labels (B, C) of 0 and 1  ->  loss, cache.
    """
    loss, cache = binary_cross_entropy(logits, labels, count)
    correct = int(((logits > 0) == (labels > 0.5)).sum())
    return LossPart(float(loss), correct, labels.size), TaskLossCache(binary_cross_entropy_backward, cache)


def regression_loss(logits: np.ndarray, labels: np.ndarray, count: int | None) -> tuple[LossPart, TaskLossCache]:
    """Numbers: mean squared error. "Correct" is what lies within a half of its target: what rounds to it.

    logits (B, C), labels (B, C)  ->  loss, cache.
    """
    loss, cache = mean_squared_error(logits, labels, count)
    correct = int((np.abs(logits - labels) < 0.5).sum())
    return LossPart(float(loss), correct, labels.size), TaskLossCache(mean_squared_error_backward, cache)


def task_loss_backward(dloss: float, cache: TaskLossCache) -> np.ndarray:
    """dloss (scalar)  ->  dlogits, of any of the losses above."""
    return cache.backward(dloss, cache.cache)


def span_loss(
    logits: np.ndarray, start: np.ndarray, end: np.ndarray, counts: tuple[int | None, int | None]
) -> tuple[LossPart, LossPart, SpanLossCache]:
    """L = (L_start + L_end) / 2, each the cross-entropy of a softmax over the T tokens (Devlin et al. 2018, 4.2).

    logits (B, T, 2), start and end (B,) of 0..T-1, or -100 where the answer is not in the text
    ->  L_start, L_end, cache. Each has its own number of targets, which `counts` replaces.
    """
    first, start_cache = single_label_loss(logits[..., 0], start, counts[0])
    last, end_cache = single_label_loss(logits[..., 1], end, counts[1])
    return first, last, SpanLossCache(start_cache, end_cache)


def span_loss_backward(dloss: float, cache: SpanLossCache) -> np.ndarray:
    """dloss (scalar)  ->  dlogits (B, T, 2). Half of it flows into each of the two losses."""
    return np.stack([task_loss_backward(dloss / 2, part) for part in cache], axis=-1)
