"""Applying a function to the rows of a dataset, one by one or in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minibert.errors import ConfigError, DataError

if TYPE_CHECKING:
    from minibert.datasets.dataset import Dataset


def plain(column: Any) -> list:
    """Return a column as a list of Python's own values."""
    if isinstance(column, str) or not hasattr(column, "__len__"):
        raise DataError(f"a column must be a list or an array, not {type(column).__name__}")
    return _value(column) if isinstance(column, np.ndarray) else [_value(value) for value in column]


def map_rows(dataset: Dataset, function: Callable[[dict], Mapping | None]) -> dict[str, list]:
    """Return the columns that function(row) gives; every row must give the same."""
    new: dict[str, list] = {}
    for i, row in enumerate(dataset):
        result = _result(function(row), f"row {i}")
        if i and result.keys() != new.keys():
            raise DataError(
                f"the function returned the columns {', '.join(result) or 'none'} for row {i}, but "
                f"{', '.join(new) or 'none'} before: return the same columns for every row"
            )
        for name, value in result.items():
            new.setdefault(name, []).append(_value(value))
    return new


def map_batches(dataset: Dataset, function: Callable[[dict], Mapping | None], batch_size: int) -> dict[str, list]:
    """Return the columns that function(columns) gives for batches of rows."""
    new: dict[str, list] = {}
    for start, batch in _batches(dataset, batch_size):
        where = f"the batch from row {start}"
        result = {name: _column(column, name, where) for name, column in _result(function(batch), where).items()}
        if start and result.keys() != new.keys():
            raise DataError(f"the function returned other columns for {where} than before: return the same for all")
        if len(sizes := {name: len(column) for name, column in result.items()}) and len(set(sizes.values())) > 1:
            raise DataError(f"for {where} the function returned columns of different lengths: {sizes}")
        for name, column in result.items():
            new.setdefault(name, []).extend(column)
    return new


def keep_rows(dataset: Dataset, function: Callable[[dict], Any], batch_size: int | None) -> list[int]:
    """Return the numbers of the rows for which the function is true; in batches unless `batch_size` is None."""
    if batch_size is None:
        return [i for i, row in enumerate(dataset) if function(row)]
    kept = []
    for start, batch in _batches(dataset, batch_size):
        truths, size = list(function(batch)), min(batch_size, len(dataset) - start)
        if len(truths) != size:
            raise DataError(f"for the batch from row {start} the function returned {len(truths)} truths, not {size}")
        kept += [start + i for i, truth in enumerate(truths) if truth]
    return kept


def _batches(dataset: Dataset, batch_size: int) -> Iterator[tuple[int, dict[str, list]]]:
    if batch_size < 1:
        raise ConfigError(f"batch_size must be at least 1, but is {batch_size}")
    for start in range(0, len(dataset), batch_size):
        yield start, dataset[start : start + batch_size]


def _result(result: Any, where: str) -> Mapping[str, Any]:
    if result is None:
        return {}
    if not isinstance(result, Mapping):
        raise DataError(f"for {where} the function returned {type(result).__name__}; it must return a dict of columns")
    return result


def _column(column: Any, name: str, where: str) -> list:
    try:
        return plain(column)
    except DataError as error:
        raise DataError(
            f"for {where} the function returned {type(column).__name__} as column {name!r}: of a batch, return lists"
        ) from error


def _value(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
