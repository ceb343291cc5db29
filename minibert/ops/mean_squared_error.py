"""Mean squared error: the loss of regression."""

from typing import NamedTuple

import numpy as np

from minibert.dispatch import op


class MeanSquaredErrorCache(NamedTuple):
    difference: np.ndarray  # (...) prediction minus target
    count: int


@op
def mean_squared_error(
    predictions: np.ndarray, targets: np.ndarray, count: int | None = None
) -> tuple[np.floating, MeanSquaredErrorCache]:
    """L = (1/n) sum over i of (z_i - y_i)^2.

    predictions z (...), targets y (...)  ->  L (scalar of the predictions' dtype), cache. n is `count`, or by
    default the number of predictions: see `cross_entropy`.
    """
    count = max(1, predictions.size) if count is None else count
    difference = predictions - targets.astype(predictions.dtype)  # (...)
    return (difference * difference).sum() / predictions.dtype.type(count), MeanSquaredErrorCache(difference, count)


@op
def mean_squared_error_backward(dloss: float, cache: MeanSquaredErrorCache) -> np.ndarray:
    """dloss (scalar)  ->  dpredictions (...): 2 (z_i - y_i) / n. Targets have no gradient."""
    return cache.difference * cache.difference.dtype.type(2 * (dloss / cache.count))
