"""`task.json`: what a fine-tuned model is for, beside its weights, so that nobody has to say it again."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from minibert.errors import CheckpointError
from minibert.fields import from_json, short
from minibert.files import read_object, write_json
from minibert.finetuning.tasks import TASKS, Columns, Task

FILE = "task.json"


@dataclass(frozen=True, kw_only=True)
class TaskSettings:
    """What `task.json` holds.

    Parameters
    ----------
    task : str
        A name in `minibert.finetuning.tasks.TASKS`.
    columns : {"text": ..., "pair": ..., "label": ...}
    labels : list of str
        Their names, in the order of the scores.
    max_length : int
        Tokens of a row at most.
    method : str
        What trained.
    base_model : str
        Where it began.
    trainable_parameters : int, optional
    trained_on : dict
        Which rows it has seen: see `minibert.finetuning.task_data.Source`.
    """

    task: str
    columns: dict[str, str]
    labels: list[str]
    max_length: int
    method: str = "full"
    base_model: str = ""
    trainable_parameters: int | None = None
    trained_on: dict[str, Any] = field(default_factory=dict)

    def make_task(self) -> Task:
        """Return the task on its columns."""
        return TASKS[self.task](Columns(**self.columns))

    def save(self, folder: Path) -> None:
        """Write `task.json`."""
        write_json(folder / FILE, asdict(self))


def read_settings(folder: Path) -> TaskSettings | None:
    """Read `task.json`; None if there is none.

    Raises
    ------
    CheckpointError
        It is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    settings = from_json(TaskSettings, read_object(path), str(path), more=True)
    if settings.task not in TASKS or settings.columns.keys() != set(Columns._fields):
        raise CheckpointError(
            f"{path}: not what finetune writes (task {short(settings.task)}, columns {short(settings.columns)}); it "
            "may be of another version"
        )
    if not settings.labels or settings.max_length < 1:
        raise CheckpointError(f"{path}: labels must be a list of names, and max_length a positive number")
    return settings
