"""Cross-entropy of independent yes-or-no decisions, each by a sigmoid: the loss of several labels at once."""

from typing import NamedTuple

import numpy as np

from minibert.dispatch import op


class BinaryCrossEntropyCache(NamedTuple):
    probs: np.ndarray  # (...) sigmoid of the logits
    labels: np.ndarray  # (...)
    count: int


@op
def binary_cross_entropy(
    logits: np.ndarray, labels: np.ndarray, count: int | None = None
) -> tuple[np.floating, BinaryCrossEntropyCache]:
    """L = -(1/n) sum over i of y_i log p_i + (1 - y_i) log(1 - p_i),  p_i = sigmoid(z_i) = 1 / (1 + exp(-z_i)).

    logits z (...), labels y (...) of 0 and 1, or probabilities between  ->  L (scalar of the logits' dtype), cache.

    Since log p = z - log(1 + exp(z)) and log(1 - p) = -log(1 + exp(z)), one term is log(1 + exp(z)) - y z, and

        log(1 + exp(z)) = max(z, 0) + log(1 + exp(-|z|))

    never overflows. n is `count`, or by default the number of logits: see `cross_entropy`.
    """
    y = labels.astype(logits.dtype)
    count = max(1, logits.size) if count is None else count
    small = np.exp(-np.abs(logits))  # (...) at most 1
    terms = np.maximum(logits, 0) + np.log1p(small) - y * logits  # (...)
    probs = np.where(logits >= 0, 1, small) / (1 + small)  # (...)
    return terms.sum() / logits.dtype.type(count), BinaryCrossEntropyCache(probs, y, count)


@op
def binary_cross_entropy_backward(dloss: float, cache: BinaryCrossEntropyCache) -> np.ndarray:
    """dloss (scalar)  ->  dlogits (...). Labels have no gradient.

    The derivative of log(1 + exp(z)) is sigmoid(z), so that of one term is p - y: what the model
    believes minus what is true, as for a softmax.
    """
    probs, labels, count = cache
    return (probs - labels) * probs.dtype.type(dloss / count)
