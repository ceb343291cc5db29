"""What precision, recall and F1 are made of: for each class, hits, false alarms and misses."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from minibert.evaluation.arrays import class_arrays


class Counts(NamedTuple):
    """For each of C classes, how many examples

    - of the class were found (tp, true positives),
    - of another class were taken for it (fp, false positives),
    - of the class were missed (fn, false negatives).
    """

    classes: np.ndarray  # (C,) every class that occurs, as label or as prediction, sorted
    tp: np.ndarray  # (C,)
    fp: np.ndarray  # (C,)
    fn: np.ndarray  # (C,)

    @property
    def support(self) -> np.ndarray:
        """(C,) how many examples are of each class."""
        return self.tp + self.fn


def count(labels: ArrayLike, predictions: ArrayLike) -> Counts:
    """Count for each class, of (N,) classes or (N, L) yes-or-no labels. Raises `DataError` if they do not fit."""
    labels, predictions = class_arrays(labels, predictions)
    if labels.ndim == 2:
        real, said = labels.astype(bool), predictions.astype(bool)  # (N, L)
        return Counts(np.arange(labels.shape[1]), (real & said).sum(0), (~real & said).sum(0), (real & ~said).sum(0))
    matrix, classes = confusion_matrix(labels, predictions)
    tp = np.diagonal(matrix)  # (C,)
    return Counts(classes, tp, matrix.sum(0) - tp, matrix.sum(1) - tp)


def confusion_matrix(labels: ArrayLike, predictions: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return (C, C) how often class i (row) was taken for class j (column), and the classes (C,), sorted."""
    labels, predictions = class_arrays(labels, predictions)
    N = len(labels)
    classes, index = np.unique(np.concatenate([labels, predictions]), return_inverse=True)  # (C,), (2N,)
    C = len(classes)
    cells = index[:N] * C + index[N:]  # (N,) number of the cell, row by row
    return np.bincount(cells, minlength=C * C).reshape(C, C), classes
