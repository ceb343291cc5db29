"""Precision, recall, and their harmonic mean F1 (van Rijsbergen 1979).

    precision = tp / (tp + fp)              of what was said to be of a class, how much is
    recall    = tp / (tp + fn)              of what is of the class, how much was found
    F1        = 2 tp / (2 tp + fp + fn)     2 precision recall / (precision + recall)

Of several classes, averaged in one of four ways (C classes, n_c examples of class c, N in all):

    binary    of the class `positive` alone
    micro     of the sums of tp, fp and fn over all classes; with one class an example all three are the accuracy
    macro     1/C sum_c score_c: every class counts the same, however rare
    weighted  sum_c n_c / N score_c

As in scikit-learn by default, what would divide by zero is 0 (nothing said: precision; nothing there: recall; neither:
F1), and the classes are those that occur as label or as prediction. Unlike there, without a warning.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from minibert.errors import ConfigError, DataError
from minibert.evaluation.counts import Counts, count

AVERAGES = ("binary", "micro", "macro", "weighted")


def precision(
    labels: ArrayLike, predictions: ArrayLike, average: str | None = "binary", positive: Any = 1
) -> float | np.ndarray:
    """precision = tp / (tp + fp).

    Parameters
    ----------
    labels, predictions : (N,) classes, or (N, L) of 0 and 1
    average : {"binary", "micro", "macro", "weighted"} or None
        None: one score for each class, (C,), in the order of `minibert.evaluation.counts.count`.
    positive : int or str
        The class that "binary" is about.

    Raises
    ------
    ConfigError
        `average` is unknown.
    DataError
        Labels and predictions do not fit, or there are not two classes for "binary".
    """
    c = _averaged_counts(labels, predictions, average, positive)
    return _average(_ratio(c.tp, c.tp + c.fp), c, average)


def recall(
    labels: ArrayLike, predictions: ArrayLike, average: str | None = "binary", positive: Any = 1
) -> float | np.ndarray:
    """recall = tp / (tp + fn). Parameters and errors as of `precision`."""
    c = _averaged_counts(labels, predictions, average, positive)
    return _average(_ratio(c.tp, c.tp + c.fn), c, average)


def f1(
    labels: ArrayLike, predictions: ArrayLike, average: str | None = "binary", positive: Any = 1
) -> float | np.ndarray:
    """F1 = 2 tp / (2 tp + fp + fn). Parameters and errors as of `precision`."""
    c = _averaged_counts(labels, predictions, average, positive)
    return _average(_ratio(2 * c.tp, 2 * c.tp + c.fp + c.fn), c, average)


def _averaged_counts(labels: ArrayLike, predictions: ArrayLike, average: str | None, positive: Any) -> Counts:
    """The counts of the classes that the average is over; "binary" and "micro" leave one."""
    if average is not None and average not in AVERAGES:
        raise ConfigError(f"average must be one of {', '.join(AVERAGES)} or None, but is {average!r}")
    c = count(labels, predictions)
    if average == "micro":
        return Counts(c.classes[:1], *(column.sum(keepdims=True) for column in c[1:]))
    if average != "binary":
        return c
    _check_binary(c, np.ndim(labels), positive)
    at = c.classes == positive
    return Counts(c.classes[at], c.tp[at], c.fp[at], c.fn[at])


def _check_binary(c: Counts, ndim: int, positive: Any) -> None:
    names = ", ".join(map(str, c.classes[:10].tolist()))
    if ndim == 2 or len(c.classes) > 2:
        raise DataError(f"there are {len(c.classes)} classes ({names}): choose average micro, macro or weighted")
    if len(c.classes) == 2 and positive not in c.classes.tolist():
        raise DataError(f"no example is of the positive class {positive!r}; there are {names}: set `positive`")


def _average(scores: np.ndarray, c: Counts, average: str | None) -> float | np.ndarray:
    if average is None:
        return scores
    if average == "weighted":
        return float(_ratio(scores @ c.support, c.support.sum()))
    return float(scores.mean()) if len(scores) else 0.0  # the positive class may not occur at all


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, and 0 where that is 0 / 0."""
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=np.asarray(whole) != 0)
