"""The losses of pairs of texts, from their vectors to a number."""

from typing import NamedTuple

import numpy as np

from minibert.blocks.cosines import (
    CosinesCache,
    all_cosines,
    all_cosines_backward,
    pair_cosines,
    pair_cosines_backward,
)
from minibert.blocks.losses import LossPart
from minibert.blocks.task_losses import TaskLossCache, regression_loss, single_label_loss, task_loss_backward


class CosineRegressionCache(NamedTuple):
    cosines: CosinesCache
    loss: TaskLossCache


class ContrastiveCache(NamedTuple):
    cosines: CosinesCache
    loss: TaskLossCache
    scale: float


def cosine_regression_loss(
    u: np.ndarray, v: np.ndarray, scores: np.ndarray, count: int | None
) -> tuple[LossPart, CosineRegressionCache]:
    """L = (1/n) sum_i (cos(u_i, v_i) - y_i)^2 (Reimers & Gurevych 2019, arXiv:1908.10084, section 3).

    u (N, D), v (N, D), scores y (N,)  ->  loss, cache. n is `count`, or by default N. "Correct" is what lies within a
    half of its score.
    """
    c, cosines = pair_cosines(u, v)  # (N,)
    part, loss = regression_loss(c, scores, count)
    return part, CosineRegressionCache(cosines, loss)


def cosine_regression_loss_backward(dloss: float, cache: CosineRegressionCache) -> tuple[np.ndarray, np.ndarray]:
    """dloss (scalar)  ->  du (N, D), dv (N, D)."""
    dc = task_loss_backward(dloss, cache.loss)  # (N,)
    return pair_cosines_backward(dc, cache.cosines)


def contrastive_loss(
    u: np.ndarray, v: np.ndarray, scale: float, count: int | None
) -> tuple[LossPart, ContrastiveCache]:
    """L = -(1/n) sum_i log( exp(s cos(u_i, v_i)) / sum_j exp(s cos(u_i, v_j)) ).

    u (N, D), v (N, D), scale s  ->  loss, cache. n is `count`, or by default N.

    Which of the N texts v of the batch belongs to u_i? The other N - 1 need no labels to be wrong: they belong to
    other pairs (Henderson et al. 2017, arXiv:1705.00652, section 4.4). It is cross-entropy, with s cos(u_i, v_j) as the
    logit of text j and i as the label; 1 / s is a temperature, without which cosines, at most 1, could never make
    a softmax sure. "Correct" are those whose own text is the most like them.
    """
    c, cosines = all_cosines(u, v)  # (N, N)
    part, loss = single_label_loss(c * c.dtype.type(scale), np.arange(len(c)), count)
    return part, ContrastiveCache(cosines, loss, scale)


def contrastive_loss_backward(dloss: float, cache: ContrastiveCache) -> tuple[np.ndarray, np.ndarray]:
    """dloss (scalar)  ->  du (N, D), dv (N, D).

    With p_ij the softmax over row i, dc_ij = s (p_ij - 1{i = j}) dloss / n: each u_i is drawn to its own text and
    pushed away from the others, most from those that it takes for its own.
    """
    dlogits = task_loss_backward(dloss, cache.loss)  # (N, N)
    return all_cosines_backward(dlogits * dlogits.dtype.type(cache.scale), cache.cosines)
