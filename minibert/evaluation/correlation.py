"""Do predictions rise and fall with the labels? In a straight line (Pearson), or in any monotone way (Spearman)."""

import numpy as np
from numpy.typing import ArrayLike

from minibert.evaluation.arrays import number_arrays


def pearson(labels: ArrayLike, predictions: ArrayLike) -> float:
    """r = sum_i (x_i - mean x) (y_i - mean y) / (|x - mean x| |y - mean y|),  within -1 .. 1.

    Parameters
    ----------
    labels, predictions : (N,) numbers, N >= 2

    Returns
    -------
    float
        NaN if either is constant: then there is no correlation to speak of.

    Raises
    ------
    DataError
        The two do not fit, or a number is NaN or infinite.
    """
    x, y = number_arrays(labels, predictions)
    if x.min() == x.max() or y.min() == y.max():  # asked exactly: x - mean x can be tiny instead of 0
        return float("nan")
    return float(np.clip(_unit(x) @ _unit(y), -1, 1))


def spearman(labels: ArrayLike, predictions: ArrayLike) -> float:
    """rho = Pearson's r of the ranks (Spearman 1904); those that are equal share the mean of their ranks.

    Parameters, returns and errors as of `pearson`.
    """
    x, y = number_arrays(labels, predictions)
    return pearson(ranks(x), ranks(y))


def ranks(values: ArrayLike) -> np.ndarray:
    """Return the rank of each value (N,), from 1; k equal values after m smaller ones all get m + (k + 1) / 2."""
    _, index, k = np.unique(values, return_inverse=True, return_counts=True)  # (N,), (U,)
    m = np.cumsum(k) - k  # (U,) how many are smaller
    return (m + (k + 1) / 2)[index]  # (N,)


def _unit(x: np.ndarray) -> np.ndarray:
    """x - mean x, of length 1; first scaled to at most 1, so that squares neither overflow nor vanish."""
    x = x / np.abs(x).max()
    x = x - x.mean()
    x = x / np.abs(x).max()
    return x / np.sqrt(x @ x)
