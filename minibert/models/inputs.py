"""Checks of what users hand to a model, before any arithmetic: shapes, ranges, helpful errors."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from minibert.errors import DataError
from minibert.ops import IGNORE_INDEX


def array_of(name: str, rows: ArrayLike) -> np.ndarray:
    """Return `rows` as an array. Raises `DataError` if they have different lengths."""
    try:
        return np.asarray(rows)
    except ValueError as error:
        raise DataError(
            f"{name} has rows of different lengths: pad them, as a tokenizer does with padding=True, and give the "
            "attention_mask that it returns too"
        ) from error


def check_ids(name: str, ids: ArrayLike, size: int, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Return `ids` as an array of integers in 0..size-1, (B, T) or of the given shape.

    Raises
    ------
    DataError
        If it is not of integers, has another shape, or an id out of range: which, where, and the range.
    """
    array = array_of(name, ids)
    if array.size == 0 or array.dtype.kind not in "iu":
        raise DataError(f"{name} must hold integers, at least one; got {array.dtype} of shape {array.shape}")
    if shape is None and array.ndim != 2:
        raise DataError(f"{name} must be (batch, length); got shape {array.shape}")
    if shape is not None and array.shape != shape:
        raise DataError(f"{name} must have shape {shape}; got {array.shape}")
    if array.min() < 0 or array.max() >= size:
        where = tuple(int(i) for i in np.argwhere((array < 0) | (array >= size))[0])
        raise DataError(f"{name}[{', '.join(map(str, where))}] is {array[where]}, but must be within 0..{size - 1}")
    return array


def check_labels(name: str, labels: ArrayLike, size: int, shape: tuple[int, ...]) -> np.ndarray:
    """Like `check_ids`, but -100, which marks a position that is no target, is allowed too."""
    array = array_of(name, labels)
    if array.shape != shape:
        raise DataError(f"{name} must have shape {shape}; got {array.shape}")
    if array.dtype.kind not in "iu":
        raise DataError(f"{name} must hold integers; got {array.dtype}")
    check_ids(name, np.where(array == IGNORE_INDEX, 0, array), size, shape)
    return array


def numbers_of(labels: Sequence[ArrayLike]) -> np.ndarray:
    """Return labels, one entry an example, as an array of numbers. Raises `DataError` that says which is none."""
    for i, label in enumerate(labels):
        if np.asarray(label).dtype.kind not in "biuf":
            raise DataError(f"the label of example {i} is {label!r:.40}, not a number: turn labels into 0, 1, 2, ...")
    if len({np.shape(label) for label in labels}) > 1:
        raise DataError(
            "labels have different shapes from example to example: give one number, or a list of them, each"
        )
    return np.asarray(labels)


def check_classes(targets: np.ndarray) -> None:
    """Raise `DataError` if there is something to learn from several targets, but all of them are one class, or none."""
    found = np.unique(targets[targets != IGNORE_INDEX])
    if not len(found):
        raise DataError(
            f"none of the {targets.size} labels is a target, all are {IGNORE_INDEX}: there is nothing to learn"
        )
    if len(found) == 1 and targets.size > 1:
        raise DataError(f"all labels are {found[0]}: to learn a difference takes examples of at least two classes")


def check_mask(attention_mask: ArrayLike, shape: tuple[int, int]) -> np.ndarray:
    """Return an attention mask (B, T) of 1 (token) and 0 (padding) as booleans. Raises `DataError`."""
    mask = array_of("attention_mask", attention_mask)
    if mask.shape != shape:
        raise DataError(f"attention_mask must have the shape of input_ids, {shape}; got {mask.shape}")
    if mask.dtype.kind not in "biuf":
        raise DataError(f"attention_mask must hold 1 (token) and 0 (padding); got {mask.dtype}")
    if len(odd := np.argwhere((mask != 0) & (mask != 1))):
        row, column = map(int, odd[0])
        raise DataError(f"attention_mask[{row}, {column}] is {mask[row, column]}, but must be 1 (token) or 0 (padding)")
    return mask.astype(bool)


def visible_keys(attention_mask: ArrayLike | None, shape: tuple[int, int]) -> np.ndarray | None:
    """Turn an attention mask (B, T) of 1 (token) and 0 (padding) into a boolean bias (B, 1, 1, T).

    A mask without padding becomes None: nothing needs hiding.
    """
    if attention_mask is None:
        return None
    mask = check_mask(attention_mask, shape)
    return None if mask.all() else mask[:, None, None, :]  # (B, 1, 1, T)
