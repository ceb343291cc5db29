"""The share of examples that are right."""

import numpy as np
from numpy.typing import ArrayLike

from minibert.evaluation.arrays import class_arrays


def accuracy(labels: ArrayLike, predictions: ArrayLike) -> float:
    """accuracy = 1/N sum_i [prediction_i = label_i].

    Parameters
    ----------
    labels, predictions : (N,) classes, or (N, L) of 0 and 1
        With several labels an example all L must be right.

    Raises
    ------
    DataError
        The two do not fit, or hold no classes.
    """
    return float(correct(labels, predictions).mean())


def correct(labels: ArrayLike, predictions: ArrayLike) -> np.ndarray:
    """Return (N,) bool: which examples are right. Their mean is the accuracy; a bootstrap resamples them."""
    labels, predictions = class_arrays(labels, predictions)
    right = labels == predictions  # (N,) or (N, L)
    return right if right.ndim == 1 else right.all(1)  # (N,)
