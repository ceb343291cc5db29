"""Examples to train on: anything with a length whose elements are dicts, and columns."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from minibert.errors import DataError
from minibert.training.collate import RENAMED

MEGABATCHES = 50  # batches that are sorted by length together


class Columns:
    """Columns of equal length, {name: sequence}, as a sequence of examples."""

    def __init__(self, columns: Mapping[str, Sequence]) -> None:
        self.columns = dict(columns)
        lengths = {name: len(column) for name, column in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise DataError(f"columns differ in length: {', '.join(f'{k} has {v}' for k, v in lengths.items())}")

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __getitem__(self, i: int) -> dict[str, Any]:
        return {name: column[i] for name, column in self.columns.items()}


class Examples:
    """A dataset as the trainer sees it: only the columns that a model takes, and the length of each example.

    Parameters
    ----------
    dataset : sequence of dict, or dict of columns
    takes : set of str, optional
        The columns to keep; None: all.

    Raises
    ------
    DataError
        If there is no example, or no column that the model takes: names those that are there.
    """

    def __init__(self, dataset: Any, takes: set[str] | None = None) -> None:
        self.dataset = Columns(dataset) if isinstance(dataset, Mapping) else dataset
        if not hasattr(self.dataset, "__len__") or not hasattr(self.dataset, "__getitem__"):
            raise DataError(f"a dataset needs a length and an index, but this is a {type(dataset).__name__}")
        if len(self.dataset) == 0:
            raise DataError("the dataset is empty: give at least one example")
        first = self.dataset[0]
        if not isinstance(first, Mapping):
            raise DataError(f"an example must be a dict of columns, but the first is a {type(first).__name__}")
        self.names = [name for name in first if takes is None or RENAMED.get(name, name) in takes]
        if takes is not None and "input_ids" in takes and "input_ids" not in self.names:
            raise DataError(f"the dataset has the columns {', '.join(first)}, but no input_ids: tokenize it first")

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, i: int) -> dict[str, Any]:
        example = self.dataset[int(i)]
        try:
            return {name: example[name] for name in self.names}
        except KeyError as error:
            raise DataError(f"example {i} has no {error.args[0]}, but the first has") from error

    def labels(self) -> list[Any]:
        """Return what each example has under `labels`, or a name that becomes it."""
        name = next(name for name in self.names if RENAMED.get(name, name) == "labels")
        return [self[i][name] for i in range(len(self))]

    def lengths(self) -> np.ndarray:
        """Return the number of tokens of each example, padding not counted."""
        return np.array([_length(self[i]) for i in range(len(self))])


def _length(example: dict[str, Any]) -> int:
    """The number of tokens; of several inputs, as of multiple choice, that of the longest."""
    mask, ids = example.get("attention_mask"), example.get("input_ids", ())
    if not np.ndim(ids):
        raise DataError(f"input_ids of an example is {ids!r:.40}, not a list of numbers: tokenize it first")
    return int(np.sum(mask, axis=-1).max()) if mask is not None else np.shape(ids)[-1]


def columns_of(model: Any) -> set[str] | None:
    """Return the names of the arrays that a call of the model takes; None if it takes any."""
    owner = getattr(model, "base_model", model)
    parameters = list(inspect.signature(type(owner).__call__).parameters.values())[1:]
    if any(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in parameters):
        return None
    return {p.name for p in parameters if not p.name.startswith("output_")} | set(getattr(model, "labels", ()))


def order_of(n: int, strategy: str, lengths: np.ndarray | None, batch_size: int, seed: tuple[int, ...]) -> np.ndarray:
    """Return the order in which an epoch visits n examples.

    "group_by_length" sorts chunks of the random order by length, so that a batch needs little padding; the batches
    of a chunk then come in random order.
    """
    if strategy == "sequential":
        return np.arange(n)
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    if strategy == "random":
        return order
    batches = []
    for chunk in np.split(order, range(MEGABATCHES * batch_size, n, MEGABATCHES * batch_size)):
        chunk = chunk[np.argsort(-lengths[chunk], kind="stable")]
        batches += np.split(chunk, range(batch_size, len(chunk), batch_size))
    full = [batch for batch in batches if len(batch) == batch_size]
    rest = [batch for batch in batches if len(batch) < batch_size]  # at the end, so that all others are full
    return np.concatenate([*(full[i] for i in rng.permutation(len(full))), *rest])


def in_batches(order: np.ndarray, batch_size: int, drop_last: bool) -> list[np.ndarray]:
    """Return the batches of an epoch, as arrays of places in the dataset."""
    batches = np.split(order, range(batch_size, len(order), batch_size))
    return batches[:-1] if drop_last and len(batches) > 1 and len(batches[-1]) < batch_size else batches
