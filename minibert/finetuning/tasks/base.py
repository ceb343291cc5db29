"""What a task is to the commands: six questions, which each kind of task answers in a file of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from minibert.datasets.checks import texts
from minibert.datasets.dataset import Dataset
from minibert.errors import DataError
from minibert.evaluation.task_metrics import TaskMetric

if TYPE_CHECKING:
    from minibert.tokenizers.base import PretrainedTokenizer
    from minibert.tokenizers.batch_encoding import BatchEncoding


class Columns(NamedTuple):
    """The columns of a table that a task reads; an empty name: none."""

    text: str
    pair: str
    label: str


class Encoded(NamedTuple):
    """Inputs as a model takes them: R rows, for some tasks more than one an example."""

    columns: dict[str, list]  # `input_ids`, `attention_mask`, ... each R lists
    truncated: int  # examples of which something was cut off
    about: Any = None  # what the task needs to read the scores


class Task:
    """A task on the named columns.

    An *input* is what an example is without its label: a text, a pair of texts, a list of words, ...
    """

    name: ClassVar[str]
    kind: ClassVar[str]  # its row in `minibert.models.tasks.TASKS`
    peft_type: ClassVar[str | None]  # what PEFT calls it; None: it has no name for it
    columns: ClassVar[Columns]  # by default
    longest: ClassVar[int] = 256  # tokens, unless more are asked for
    has_head: ClassVar[bool] = True  # False: the body itself is what learns, and adapters are merged into it

    def __init__(self, columns: Columns) -> None:
        self.columns = columns

    def inputs(self, dataset: Dataset) -> list:
        """Return the inputs of a table. Raises `DataError` if a column or a text is missing."""
        raise NotImplementedError

    def label_names(self, dataset: Dataset) -> list[str]:
        """Return the names of the labels to be learned from a table. Raises `DataError` if nothing can be."""
        raise NotImplementedError

    def truth(self, dataset: Dataset, names: list[str]) -> Any:
        """Return the label of each example, an entry each. Raises `DataError` for one that is not among `names`."""
        raise NotImplementedError

    def config(self, names: list[str]) -> dict[str, Any]:
        """Return what the configuration of a model says about the labels."""
        return {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}}

    def check_batch(self, batch_size: int, names: list[str]) -> None:
        """Raise `ConfigError` if nothing can be learned from batches of that size."""

    def cut_at(self, model: Any, max_length: int) -> None:
        """Tell a model that cuts texts by itself where that is."""

    def encode(self, tokenizer: PretrainedTokenizer, inputs: list, max_length: int) -> Encoded:
        """Return the inputs as rows of tokens, cut off at `max_length`."""
        raise NotImplementedError

    def targets(self, encoded: Encoded, truth: Any, names: list[str]) -> dict[str, list]:
        """Return the columns of labels, R entries each."""
        return {"labels": list(truth)}

    def scorer(self, model: Any) -> Any:
        """Return what gives the scores: the model."""
        return model

    def predictions(self, encoded: Encoded, scores: Any, names: list[str]) -> Any:
        """Return what the scores say of each example, in the form that the metrics take."""
        raise NotImplementedError

    def metrics(self, names: list[str]) -> tuple[TaskMetric, ...]:
        """Return the metrics, the main one first."""
        raise NotImplementedError

    def answer(self, prediction: Any, given: Any, names: list[str]) -> dict[str, Any]:
        """Return what was predicted for one input, by name, for JSON."""
        raise NotImplementedError


def filled_texts(dataset: Dataset, column: str) -> list[str]:
    """Return a column of texts, none of them empty. Raises `DataError` naming the first that is."""
    found = texts(dataset, column)
    empty = [i for i, text in enumerate(found) if not text.strip()]
    if empty:
        raise DataError(
            f"row {empty[0]} of column {column!r} is an empty text ({len(empty)} of {len(found)} are): remove such "
            "rows, or leave them out with --skip_empty"
        )
    return found


def cut_off(encoding: BatchEncoding) -> int:
    """Return how many rows of an encoding were truncated."""
    return sum(bool(row.overflowing) for row in encoding.encodings)
