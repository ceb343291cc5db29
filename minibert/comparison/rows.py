"""On which rows candidates are compared: the same for all, and none that any of them has learned from."""

from __future__ import annotations

from minibert.comparison.candidates import Candidate
from minibert.errors import ConfigError
from minibert.finetuning.scoring import seen_by
from minibert.finetuning.task_data import MEASURED_ON, Parts, Source, load_splits, parts_of
from minibert.finetuning.tasks import Task


def common_task(candidates: list[Candidate]) -> str:
    """Return the name of the task of all models. Raises `ConfigError` if they have several."""
    tasks = {candidate.name: candidate.settings.task for candidate in candidates}
    if len(set(tasks.values())) > 1:
        each = ", ".join(f"{name}: {task}" for name, task in tasks.items())
        raise ConfigError(f"models of different tasks cannot be compared ({each})")
    return next(iter(tasks.values()))


def rows_to_compare(
    candidates: list[Candidate],
    task: Task,
    source: Source,
    split: str = "",
    train_split: str = "train",
    teaches: bool = False,
) -> Parts:
    """Return the rows to learn from (for a baseline), those to be measured on, and what these are, in words.

    Parameters
    ----------
    candidates : list of Candidate
        The models.
    task : Task
    source : Source
    split, train_split : str
        As in `minibert.finetuning.task_data.parts_of`.
    teaches : bool
        A baseline is to learn from the rest, so data without splits must be divided.

    Raises
    ------
    ConfigError
        Two models have held out different rows of this data.
    """
    seen, trained = _seen(candidates, source)
    if split or seen or teaches:
        return parts_of(seen or source, trained or task, train_split, split)
    splits = load_splits(source)
    chosen = next((name for name in MEASURED_ON if name in splits), "train")
    about = "all rows" if chosen == "train" else f"split {chosen}"
    return Parts(splits["train"], splits[chosen], about)


def _seen(candidates: list[Candidate], source: Source) -> tuple[Source | None, Task | None]:
    """What models among the candidates were trained on, if it is this data, and the task it was divided for."""
    found = {c.name: seen for c in candidates if (seen := seen_by(c.settings)) and seen.same_rows(source)}
    if len(set(found.values())) > 1:
        a, b = list(found)[:2]
        raise ConfigError(f"{a} and {b} held out different rows of this data: give --data that none has learned from")
    trained = next((c.settings.make_task() for c in candidates if c.name in found), None)
    return next(iter(found.values()), None), trained
