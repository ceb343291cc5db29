"""Columns as a task needs them: texts, classes or numbers, every one of them there."""

from __future__ import annotations

import math

import numpy as np

from minibert.datasets.dataset import Dataset
from minibert.datasets.features import ClassLabel
from minibert.errors import DataError
from minibert.fields import short


def texts(dataset: Dataset, column: str) -> list[str]:
    """Return a column of texts. An empty text is one, too, unless all are.

    Raises
    ------
    DataError
        There is no such column or no row, a text is missing or no string, or all are empty.
    """
    values = _rows(dataset, column)
    for i, value in enumerate(values):
        if not isinstance(value, str):
            what = "is missing" if value is None else f"is {short(value)}, no text"
            raise DataError(f"row {i} of column {column!r} {what}")
    if not any(value.strip() for value in values):
        raise DataError(f"all texts of column {column!r} are empty")
    return values


def classes(dataset: Dataset, column: str) -> tuple[np.ndarray, ClassLabel]:
    """Return the classes of the rows, (N,) integers, and their names, to learn from.

    Raises
    ------
    DataError
        There is no such column or no row, a label is missing, or all rows are of one class.
    """
    _rows(dataset, column)
    encoded = dataset.class_encode_column(column)
    feature = encoded.features[column]
    if not isinstance(feature, ClassLabel):
        raise DataError(f"column {column!r} holds lists, not one class a row")
    labels = np.array(encoded[column])  # (N,)
    if len(np.unique(labels)) < 2:
        name = short(feature.int2str(int(labels[0])))
        raise DataError(
            f"all {len(labels)} rows to learn from are of the class {name}: to learn a difference takes two classes"
        )
    return labels, feature


def numbers(dataset: Dataset, column: str) -> np.ndarray:
    """Return a column of finite numbers, (N,) float64. Raises `DataError` naming the row of one that is none."""
    values = _rows(dataset, column)
    for i, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            what = "is missing" if value in (None, "") else f"is {short(value)}, no finite number"
            raise DataError(f"row {i} of column {column!r} {what}")
    return np.array(values, np.float64)


def _rows(dataset: Dataset, column: str) -> list:
    values = dataset[column]
    if not values:
        raise DataError("the dataset has no row")
    return values
