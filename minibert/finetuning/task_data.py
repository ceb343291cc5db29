"""Labelled rows to learn from, and others to be measured on: no text lies on both sides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from minibert.datasets.dataset import Dataset
from minibert.datasets.dataset_dict import DatasetDict
from minibert.datasets.load import load_dataset, take
from minibert.datasets.named import NAMED
from minibert.errors import ConfigError, DataError
from minibert.finetuning.tasks import Task

MEASURED_ON = ("test", "validation")  # the split to measure on, the first that there is


class Source(NamedTuple):
    """Where rows come from. `task.json` holds it, so that a model is not measured on what it has learned.

    `heldout` and `seed` decide which rows of data without splits are held out.
    """

    data: str
    part: str = ""
    heldout: float = 0.2
    seed: int = 0

    @classmethod
    def of(cls, data: str, part: str, heldout: float, seed: int) -> Source:
        """Return the source, files by their full path. Raises `ConfigError` if the share cannot be."""
        if not 0 < heldout < 1:
            raise ConfigError(f"--heldout must be between 0 and 1, both excluded, but is {heldout}")
        return cls(data if data in NAMED else str(Path(data).resolve()), part, heldout, seed)

    def same_rows(self, other: Source) -> bool:
        """Return whether two sources are of the same data."""
        return self[:2] == other[:2]


class Parts(NamedTuple):
    """Rows to learn from, rows to be measured on, and what the latter are, in words."""

    train: Dataset
    heldout: Dataset
    about: str


def load_splits(source: Source) -> DatasetDict:
    """Return the data of a source. Raises `DataError` if there is none or it cannot be read."""
    return load_dataset(source.data, source.part or None)


def parts_of(
    source: Source,
    task: Task,
    train_split: str = "train",
    eval_split: str = "",
    check: Callable[[Dataset], None] | None = None,
) -> Parts:
    """Return both parts of a source: its splits, or a division by content if there is but one.

    Parameters
    ----------
    source : Source
    task : Task
        Whose inputs must not lie on both sides.
    train_split : str
        Such as `train[:100]`: which of the rows to learn from.
    eval_split : str
        By default `test`, or else `validation`.
    check : callable, optional
        Is handed the rows that are going to be divided, while they have the numbers that they have in the file.
    """
    splits = load_splits(source)
    chosen = eval_split or next((name for name in MEASURED_ON if name in splits), "")
    if chosen:
        return Parts(take(splits, train_split), take(splits, chosen), f"split {chosen}")
    if check is not None:
        check(splits["train"])
    splits = divided(splits["train"], source, task)
    return Parts(take(splits, train_split), splits["test"], f"{source.heldout:.0%} by content, seed {source.seed}")


def divided(rows: Dataset, source: Source, task: Task) -> DatasetDict:
    """Return rows in two splits, so that equal inputs stay together."""
    contents = [column for column in task.columns[:2] if column]
    return rows.train_test_split(source.heldout, source.seed, by_content=contents)


def rows_to_measure(source: Source, task: Task, split: str = "", seen: Source | None = None) -> tuple[Dataset, str]:
    """Return the rows that a model is measured on, and what they are, in words.

    Parameters
    ----------
    source : Source
    task : Task
    split : str
        By default `test`, or else `validation`, or else all rows.
    seen : Source, optional
        What the model was trained on: of data without splits those rows are left out that it has seen.
    """
    splits = load_splits(source)
    chosen = split or next((name for name in MEASURED_ON if name in splits), "")
    if chosen:
        return take(splits, chosen), f"split {chosen}"
    if seen is not None and seen.same_rows(source):
        return divided(splits["train"], seen, task)["test"], f"the {seen.heldout:.0%} that were held out from training"
    return splits["train"], "all rows"


def check_enough(rows: Dataset, about: str) -> None:
    """Raise `DataError` if there are not the two rows that an interval takes."""
    if len(rows) < 2:
        count = "only one row" if len(rows) else "no row"
        raise DataError(f"there is {count} to measure on ({about}), but an interval takes at least two rows")


def without_empty(rows: Dataset, task: Task) -> tuple[Dataset, int]:
    """Return the rows whose texts are not empty, and how many were left out."""
    columns = [column for column in task.columns[:2] if column]
    for column in columns:
        rows[column]  # names those that there are, if it is none
    kept = rows.filter(lambda row: all(str(row[column] or "").strip() for column in columns))
    return kept, len(rows) - len(kept)
