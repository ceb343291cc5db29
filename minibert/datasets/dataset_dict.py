"""Several datasets by the names of their splits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minibert.errors import DataError

if TYPE_CHECKING:
    from minibert.datasets.dataset import Dataset


class DatasetDict(dict[str, "Dataset"]):
    """{"train": Dataset, "test": Dataset, ...}; each method does to all splits what it does to one."""

    def __missing__(self, split: str) -> Dataset:
        raise DataError(f"no split {split!r}; there are {', '.join(self) or 'none'}")

    @property
    def column_names(self) -> dict[str, list[str]]:
        """The names of the columns of each split."""
        return {split: dataset.column_names for split, dataset in self.items()}

    @property
    def num_rows(self) -> dict[str, int]:
        """The number of rows of each split."""
        return {split: len(dataset) for split, dataset in self.items()}

    def map(self, *args: Any, **options: Any) -> DatasetDict:
        """See `Dataset.map`."""
        return self._each("map", *args, **options)

    def filter(self, *args: Any, **options: Any) -> DatasetDict:
        """See `Dataset.filter`."""
        return self._each("filter", *args, **options)

    def shuffle(self, seed: int = 0) -> DatasetDict:
        """See `Dataset.shuffle`."""
        return self._each("shuffle", seed)

    def remove_columns(self, names: Any) -> DatasetDict:
        """See `Dataset.remove_columns`."""
        return self._each("remove_columns", names)

    def select_columns(self, names: Any) -> DatasetDict:
        """See `Dataset.select_columns`."""
        return self._each("select_columns", names)

    def rename_column(self, old: str, new: str) -> DatasetDict:
        """See `Dataset.rename_column`."""
        return self._each("rename_column", old, new)

    def cast_column(self, column: str, feature: Any) -> DatasetDict:
        """See `Dataset.cast_column`."""
        return self._each("cast_column", column, feature)

    def class_encode_column(self, column: str) -> DatasetDict:
        """See `Dataset.class_encode_column`. The classes are those of the split `train`, or else of the first.

        A label that occurs in another split alone is a `DataError`: nothing could have learned it.
        """
        known = self["train"] if "train" in self else next(iter(self.values()))
        return self.cast_column(column, known.class_encode_column(column).features[column])

    def _each(self, method: str, *args: Any, **options: Any) -> DatasetDict:
        new = DatasetDict()
        for split, dataset in self.items():
            try:
                new[split] = getattr(dataset, method)(*args, **options)
            except DataError as error:
                raise DataError(f"split {split}: {error}") from error
        return new
