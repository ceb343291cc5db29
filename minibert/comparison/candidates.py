"""What is compared: fine-tuned models, and a baseline, in one form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from minibert.comparison.baseline import NAME, TfIdfBaseline
from minibert.data.released_models import model_folder
from minibert.datasets.dataset import Dataset
from minibert.errors import ConfigError
from minibert.finetuning.opening import open_trained
from minibert.finetuning.peft_config import CONFIG, read_config
from minibert.finetuning.predictor import Predictor
from minibert.finetuning.task_settings import TaskSettings
from minibert.finetuning.tasks import Task

STORED = (".safetensors", ".txt", ".json")
NOT_NEEDED = ("training_args.json", "results.json")  # of a result folder, to predict with it


class Candidate(NamedTuple):
    """A way to do a task."""

    name: str
    predict: Callable[[list], Any]  # inputs  ->  predictions in the form of the task
    names: list[str]  # of the labels, in the order of its predictions
    parameters: int
    trainable: int  # that were trained
    disk: int  # bytes of all files that it takes
    predictor: Predictor | None = None  # None: the baseline
    settings: TaskSettings | None = None


def model_candidate(source: str, batch_size: int) -> Candidate:
    """Open a fine-tuned model. Raises `CheckpointError` if it is none."""
    predictor, settings = open_trained(source)
    total = predictor.model.num_parameters()
    trained = settings.trainable_parameters
    return Candidate(
        source,
        lambda inputs: predictor(inputs, batch_size).values,
        settings.labels,
        total,
        total if trained is None else trained,
        stored_bytes(model_folder(source)),
        predictor,
        settings,
    )


def baseline_candidate(kind: str, task: Task, rows: Dataset, names: list[str]) -> Candidate:
    """Fit a baseline on labelled rows.

    Raises
    ------
    ConfigError
        There is none of that kind, or it cannot do the task.
    """
    if kind != NAME:
        raise ConfigError(f"no baseline named {kind!r}: there is {NAME}")
    if task.name != "classification" or task.columns.pair:
        raise ConfigError(f"the baseline {NAME} classifies single texts: leave it out for {task.name}")
    fitted = TfIdfBaseline(task.inputs(rows), task.truth(rows, names))
    n = fitted.num_parameters
    return Candidate(NAME, fitted, names, n, n, len(fitted.dumped()))


def stored_bytes(folder: Path) -> int:
    """Return the size of a model's files; of an adapter, with those of the model that it was made for."""
    found = [p for p in folder.iterdir() if p.is_file() and p.suffix in STORED and p.name not in NOT_NEEDED]
    size = sum(path.stat().st_size for path in found)
    if (folder / CONFIG).is_file():
        size += stored_bytes(model_folder(read_config(folder).base_model_name_or_path))
    return size
