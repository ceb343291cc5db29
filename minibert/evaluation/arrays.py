"""What metrics are given, as arrays, checked."""

import numpy as np
from numpy.typing import ArrayLike

from minibert.errors import DataError


def class_arrays(labels: ArrayLike, predictions: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return true and predicted classes as two arrays (N,) of integers, booleans or strings, N >= 1.

    Raises
    ------
    DataError
        Lengths differ, there is nothing, a label is missing, or there are scores where classes should be.
    """
    labels, predictions = _classes("labels", labels), _classes("predictions", predictions)
    _same_length(labels, predictions)
    if (labels.dtype.kind == "U") != (predictions.dtype.kind == "U"):
        raise DataError("of labels and predictions one is text and the other numbers: give the same classes in both")
    if labels.ndim != predictions.ndim or labels.ndim not in (1, 2) or labels.shape != predictions.shape:
        raise DataError(
            f"labels {labels.shape} and predictions {predictions.shape} must both be (N,), or (N, L) of 0 and 1; "
            "of logits (N, L) take the argmax first"
        )
    if labels.ndim == 2 and not all(np.isin(array, (0, 1)).all() for array in (labels, predictions)):
        raise DataError("with several labels an example, (N, L), labels and predictions must hold 0 and 1 alone")
    return labels, predictions


def number_arrays(labels: ArrayLike, predictions: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return two arrays (N,) of float64, N >= 2. Raises `DataError` for anything else, NaN and infinity included."""
    x, y = _numbers("labels", labels), _numbers("predictions", predictions)
    _same_length(x, y)
    if len(x) < 2:
        raise DataError("a correlation needs at least two examples")
    return x, y


def _classes(name: str, values: ArrayLike) -> np.ndarray:
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise DataError(f"{name} must be an array of classes, but its rows differ in length") from error
    if array.size == 0:
        raise DataError(f"{name} must hold at least one example")
    if array.dtype.kind == "O":
        missing = [i for i, value in enumerate(array.ravel().tolist()) if value is None]
        what = f"misses the class of example {missing[0]}" if missing else "mixes types"
        raise DataError(f"{name} {what}; give integers or strings")
    if array.dtype.kind == "f" and not (array == np.floor(array)).all():  # also where one is NaN
        raise DataError(f"{name} holds fractions or NaN, no classes: of scores take the argmax or a threshold first")
    if array.dtype.kind not in "iubfU":
        raise DataError(f"{name} must hold integers or strings, not {array.dtype}")
    return array.astype(np.int64) if array.dtype.kind == "f" else array


def _numbers(name: str, values: ArrayLike) -> np.ndarray:
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must hold numbers, one an example") from error
    if array.ndim != 1 or not np.isfinite(array).all():
        raise DataError(f"{name} must be (N,) finite numbers, but is {array.shape}" + _hint(array))
    return array


def _hint(array: np.ndarray) -> str:
    bad = np.flatnonzero(~np.isfinite(array))
    return f" with {array.ravel()[bad[0]]} at {bad[0]}" if len(bad) else ""


def _same_length(labels: np.ndarray, predictions: np.ndarray) -> None:
    if labels.shape[:1] != predictions.shape[:1]:
        raise DataError(f"there are {len(labels)} labels but {len(predictions)} predictions")
