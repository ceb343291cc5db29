"""A fine-tuned model measured on a table."""

from __future__ import annotations

from typing import Any, NamedTuple

from minibert.datasets.dataset import Dataset
from minibert.errors import CheckpointError
from minibert.evaluation.bootstrap import Interval
from minibert.evaluation.task_metrics import intervals
from minibert.finetuning.predictor import Predictor
from minibert.finetuning.task_data import Source, check_enough, rows_to_measure, without_empty
from minibert.finetuning.task_settings import TaskSettings
from minibert.finetuning.tasks import Columns, Task, make_task


class Examples(NamedTuple):
    """Rows to be measured on."""

    inputs: list
    truth: Any
    about: str  # which rows they are
    skipped: int  # with empty texts, left out


class Scored(NamedTuple):
    """What a model makes of examples."""

    predictions: Any
    truncated: int
    metrics: dict[str, Interval]


def seen_by(settings: TaskSettings) -> Source | None:
    """Return what a model was trained on, if its folder says so."""
    try:
        return Source(**settings.trained_on) if settings.trained_on else None
    except TypeError as error:
        raise CheckpointError(f"task.json: trained_on is not what finetune writes ({error})") from error


def task_on(settings: TaskSettings, columns: Columns) -> Task:
    """Return the task of a model on the columns that were asked for, or else those that it was trained on."""
    mine = Columns(**settings.columns)
    return make_task(settings.task, *(asked or known for asked, known in zip(columns, mine, strict=True)))


def examples_of(rows: Dataset, task: Task, names: list[str], about: str, skip_empty: bool = False) -> Examples:
    """Return the rows of a table as the task reads them.

    Raises
    ------
    DataError
        A column, a text or a label is missing, a label is none that the model knows, or there is but one row.
    """
    rows, skipped = without_empty(rows, task) if skip_empty else (rows, 0)
    check_enough(rows, about)
    return Examples(task.inputs(rows), task.truth(rows, names), about, skipped)


def rows_for(settings: TaskSettings, task: Task, source: Source, split: str = "", skip_empty: bool = False) -> Examples:
    """Return the examples of a source that the model has not been trained on, read with the columns of `task`."""
    rows, about = rows_to_measure(source, settings.make_task(), split, seen_by(settings))
    return examples_of(rows, task, settings.labels, about, skip_empty)


def score(predictor: Predictor, examples: Examples, batch_size: int = 32, progress: bool = False) -> Scored:
    """Predict, and compare with the truth: each metric with its bootstrap interval."""
    predicted = predictor(examples.inputs, batch_size, progress)
    metrics = intervals(predictor.task.metrics(predictor.names), examples.truth, predicted.values)
    return Scored(predicted.values, predicted.truncated, metrics)
