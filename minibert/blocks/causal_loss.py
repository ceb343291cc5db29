"""The loss of a causal language model: each token from those to its left (Radford et al. 2018, equation 1)."""

from typing import NamedTuple

import numpy as np

from minibert.blocks.losses import LossPart
from minibert.ops import IGNORE_INDEX, linear_cross_entropy, linear_cross_entropy_backward
from minibert.ops.linear_cross_entropy import LinearCrossEntropyCache


class CausalLMCache(NamedTuple):
    rows: np.ndarray  # (M,) the positions that have a target among all B T
    shape: tuple[int, ...]  # (B, T, D)
    loss: LinearCrossEntropyCache


def next_tokens(labels: np.ndarray) -> np.ndarray:
    """labels (B, T)  ->  (B, T): at each position the label of the next one, at the last -100 (no target)."""
    targets = np.full_like(labels, IGNORE_INDEX)
    targets[:, :-1] = labels[:, 1:]
    return targets


def causal_lm_loss(
    hidden: np.ndarray, labels: np.ndarray, table: np.ndarray, count: int | None
) -> tuple[LossPart, CausalLMCache]:
    """L_CLM = -(1/T) sum_{t=1..T} log p(w_t | w_1..w_{t-1}),  p(. | w_1..w_{t-1}) = softmax(h_{t-1} E^T).

    hidden (B, T, D), labels (B, T) with w_t at t, or -100 where w_t is no target, table E (V, D)
    ->  loss, cache.

    The hidden state at t - 1 has seen w_1..w_{t-1} and no more, so it predicts w_t: labels are shifted
    here, and a batch gives its `input_ids` as `labels`. A text's first token is predicted from a
    start symbol before it, or not at all. The decoder is tied: its weight is the table of token
    vectors, and it has no bias. `count` replaces T, see `cross_entropy`.
    """
    targets = next_tokens(labels).reshape(-1)  # (B T,)
    rows = np.flatnonzero(targets != IGNORE_INDEX)  # (M,)
    targets = targets[rows]  # (M,)
    x = hidden.reshape(-1, hidden.shape[-1])[rows]  # (M, D)
    no_bias = np.zeros(len(table), table.dtype)  # (V,)
    loss, loss_cache = linear_cross_entropy(x, table.T, no_bias, targets, count)
    correct = int((loss_cache.predictions == targets).sum())
    return LossPart(float(loss), correct, len(rows)), CausalLMCache(rows, hidden.shape, loss_cache)


def causal_lm_loss_backward(dloss: float, cache: CausalLMCache) -> tuple[np.ndarray, np.ndarray | None]:
    """dloss (scalar)  ->  dhidden (B, T, D), dtable (V, D).

    dtable is what the table receives as a decoder; as an embedding it receives more. None if it is Frozen.
    """
    dx, dweight, _ = linear_cross_entropy_backward(dloss, cache.loss)  # (M, D), (D, V)
    B, T, D = cache.shape
    dhidden = np.zeros((B * T, D), dx.dtype)  # (B T, D)
    dhidden[cache.rows] = dx
    return dhidden.reshape(B, T, D), None if dweight is None else dweight.T
