"""A table of examples, by the names that users of Hugging Face know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self

import numpy as np

from minibert.datasets.dataset_dict import DatasetDict
from minibert.datasets.features import ClassLabel, Feature, Sequence, classes_of, decode, encode, infer
from minibert.datasets.mapping import keep_rows, map_batches, map_rows, plain
from minibert.datasets.splitting import train_test_rows
from minibert.errors import DataError


class Dataset:
    """Columns of equal length by name. A dataset does not change: every method returns a new one.

    `dataset[3]` is a row, {column: value}; `dataset[3:5]` and `dataset[[3, 7]]` are columns, {column: list}; so is
    `dataset["text"]`, one of them. Iterating yields rows.

    Parameters
    ----------
    columns : {name: list or array}
    features : {name: ClassLabel or Sequence of it}, optional
        Of the columns that hold classes; the types of the others are inferred.

    Raises
    ------
    DataError
        Columns differ in length.
    """

    def __init__(self, columns: Mapping[str, Any], features: Mapping[str, Feature] | None = None) -> None:
        self._columns = {str(name): plain(column) for name, column in columns.items()}
        self._classes = {name: feature for name, feature in (features or {}).items() if name in self._columns}
        lengths = {name: len(column) for name, column in self._columns.items()}
        if len(set(lengths.values())) > 1:
            raise DataError(f"columns differ in length: {', '.join(f'{n} {size}' for n, size in lengths.items())}")

    @classmethod
    def from_dict(cls, columns: Mapping[str, Any], features: Mapping[str, Feature] | None = None) -> Self:
        """Return a dataset of columns."""
        return cls(columns, features)

    @classmethod
    def from_list(cls, rows: Iterable[Mapping[str, Any]], features: Mapping[str, Feature] | None = None) -> Self:
        """Return a dataset of rows; what a row does not have is None."""
        rows = list(rows)
        names = dict.fromkeys(name for row in rows for name in row)
        return cls({name: [row.get(name) for row in rows] for name in names}, features)

    # What is in it --------------------------------------------------------------------------

    @property
    def column_names(self) -> list[str]:
        """The names of the columns."""
        return list(self._columns)

    @property
    def num_rows(self) -> int:
        """The number of examples, also `len(dataset)`."""
        return len(next(iter(self._columns.values()), ()))

    @property
    def features(self) -> dict[str, Feature]:
        """What each column holds: `features["label"].names` are the names of the classes."""
        return {name: self._classes.get(name) or infer(column) for name, column in self._columns.items()}

    @property
    def class_columns(self) -> list[str]:
        """The columns that hold classes as numbers."""
        return list(self._classes)

    def to_dict(self) -> dict[str, list]:
        """Return the columns."""
        return {name: list(column) for name, column in self._columns.items()}

    def unique(self, column: str) -> list:
        """Return the different values of a column, in the order of their first occurrence."""
        return list(dict.fromkeys(self[column]))

    def __len__(self) -> int:
        return self.num_rows

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for i in range(len(self)):
            yield {name: column[i] for name, column in self._columns.items()}

    def __getitem__(self, key: int | str | slice | Iterable[int]) -> Any:
        if isinstance(key, str):
            if key not in self._columns:
                raise DataError(f"no column {key!r}; there are {', '.join(self._columns) or 'none'}")
            return list(self._columns[key])
        if isinstance(key, slice):
            return {name: column[key] for name, column in self._columns.items()}
        if isinstance(key, int | np.integer):
            (i,) = self._rows([key])
            return {name: column[i] for name, column in self._columns.items()}
        rows = self._rows(key)
        return {name: [column[i] for i in rows] for name, column in self._columns.items()}

    def __repr__(self) -> str:
        return f"Dataset({self.num_rows} rows, columns: {', '.join(self._columns) or 'none'})"

    # Other rows -----------------------------------------------------------------------------

    def select(self, rows: Iterable[int]) -> Dataset:
        """Return the given rows, in that order."""
        return self._with(self[list(rows)])

    def shuffle(self, seed: int = 0) -> Dataset:
        """Return all rows in random order, which the seed decides."""
        return self.select(np.random.default_rng(seed).permutation(len(self)))

    def filter(self, function: Callable[..., Any], batched: bool = False, batch_size: int = 1000) -> Dataset:
        """Return the rows for which function(row) is true; `batched`: function(columns) gives a list of truths."""
        return self.select(keep_rows(self, function, batch_size if batched else None))

    def train_test_split(
        self,
        test_size: float | int = 0.25,
        seed: int = 0,
        shuffle: bool = True,
        by_content: str | list[str] | None = None,
    ) -> DatasetDict:
        """Return {"train": ..., "test": ...}, the same for the same seed.

        Parameters
        ----------
        test_size : float or int
            A share (rounded up) or a number of rows.
        seed : int
        shuffle : bool
            False: the last rows are the test. Has no effect with `by_content`.
        by_content : str or list of str, optional
            The column, or columns, of which no content may lie on both sides: rows whose texts are equal but for
            case and white space stay together. Which side a text is on depends on the other texts and the
            seed, not on the order of the rows. The test may be larger by such a group.

        Raises
        ------
        DataError
            One side would be empty, or there is no such column.
        """
        names = [by_content] if isinstance(by_content, str) else by_content
        contents = None if names is None else list(zip(*(self[name] for name in names), strict=True))
        train, test = train_test_rows(len(self), test_size, seed, shuffle, contents)
        return DatasetDict(train=self.select(train), test=self.select(test))

    # Other columns --------------------------------------------------------------------------

    def map(
        self,
        function: Callable[..., Mapping[str, Any] | None],
        batched: bool = False,
        batch_size: int = 1000,
        remove_columns: str | Iterable[str] | None = None,
    ) -> Dataset:
        """Return the dataset with the columns that `function` returns, new ones or in place of old ones.

        Parameters
        ----------
        function : function
            Of a row, {column: value}; or, `batched`, of several at once, {column: list}, which may return another
            number of rows if all old columns are replaced or removed. None changes nothing.
        batched : bool
        batch_size : int
        remove_columns : str or list of str, optional
            Old columns to leave out.

        Raises
        ------
        DataError
            The function returned something else than columns, or of the wrong length.
        """
        removed = [remove_columns] if isinstance(remove_columns, str) else list(remove_columns or ())
        kept = self.remove_columns(removed)
        new = map_batches(self, function, batch_size) if batched else map_rows(self, function)
        columns = {**{name: kept._columns[name] for name in kept.column_names if name not in new}, **new}
        # A column that is computed anew is what the function made of it, no longer classes with names.
        classes = {name: feature for name, feature in kept._classes.items() if name not in new}
        classes |= {n: f for n, f in self._classes.items() if n in new and new[n] == self._columns[n]}
        return Dataset(columns, classes)

    def add_column(self, name: str, column: Any) -> Dataset:
        """Return the dataset with one more column."""
        if name in self._columns:
            raise DataError(f"there is a column {name!r} already")
        return Dataset({**self._columns, name: column}, self._classes)

    def remove_columns(self, names: str | Iterable[str]) -> Dataset:
        """Return the dataset without the named columns."""
        removed = self.select_columns(names).column_names
        return self._with({name: column for name, column in self._columns.items() if name not in removed})

    def select_columns(self, names: str | Iterable[str]) -> Dataset:
        """Return the dataset with the named columns alone."""
        names = [names] if isinstance(names, str) else list(names)
        return self._with({name: self[name] for name in names})

    def rename_column(self, old: str, new: str) -> Dataset:
        """Return the dataset with a column under another name."""
        self[old]
        if new in self._columns and new != old:
            raise DataError(f"there is a column {new!r} already")
        names = {name: new if name == old else name for name in self._columns}
        return Dataset(
            {names[name]: column for name, column in self._columns.items()},
            {names[name]: feature for name, feature in self._classes.items()},
        )

    def cast_column(self, column: str, feature: ClassLabel | Sequence) -> Dataset:
        """Return the dataset with the classes of a column as numbers; of lists with `Sequence(ClassLabel(...))`.

        Raises
        ------
        DataError
            A label is missing, unknown or out of range; the message names the row.
        """
        numbers, old = [], self._classes.get(column)
        for i, value in enumerate(self[column]):
            try:
                # numbers of other classes mean what those are called
                numbers.append(encode(feature, value if old is None else decode(old, value)))
            except DataError as error:
                raise DataError(f"row {i} of column {column!r}: {error}") from error
        return Dataset({**self._columns, column: numbers}, {**self._classes, column: feature})

    def class_encode_column(self, column: str) -> Dataset:
        """Return the dataset with the values of a column as classes: numbers, with the sorted values as names.

        A column of lists of labels (tags of words) becomes lists of numbers. For other data to be scored with the same
        classes: `other.cast_column(column, dataset.features[column])`.
        """
        if column in self._classes:
            return self
        return self.cast_column(column, classes_of(self[column], column))

    def _with(self, columns: dict[str, list]) -> Dataset:
        return Dataset(columns, self._classes)

    def _rows(self, rows: Iterable[int]) -> list[int]:
        size, rows = len(self), [int(row) for row in rows]
        for row in rows:
            if not -size <= row < size:
                raise DataError(f"there is no row {row}: the dataset has {size}")
        return rows
