"""The tasks of the command line: each says how a table becomes what its head learns from, and scores become answers."""

from minibert.errors import ConfigError
from minibert.finetuning.tasks.answers import QuestionAnswering
from minibert.finetuning.tasks.base import Columns, Encoded, Task
from minibert.finetuning.tasks.choice import MultipleChoice
from minibert.finetuning.tasks.pairs import Pairs
from minibert.finetuning.tasks.sequence import Classification, MultiLabel, Regression
from minibert.finetuning.tasks.tokens import Tokens

TASKS: dict[str, type[Task]] = {
    task.name: task
    for task in (Classification, Regression, MultiLabel, Tokens, QuestionAnswering, MultipleChoice, Pairs)
}

__all__ = ["TASKS", "Columns", "Encoded", "Task", "make_task"]


def make_task(name: str, text: str = "", pair: str = "", label: str = "") -> Task:
    """Return a task that reads the named columns; what is empty is the task's own default.

    Raises
    ------
    ConfigError
        There is no such task.
    """
    if name not in TASKS:
        raise ConfigError(f"no task named {name!r}: choose one of {', '.join(TASKS)}")
    kind = TASKS[name]
    given = Columns(text, pair, label)
    return kind(Columns(*(mine or default for mine, default in zip(given, kind.columns, strict=True))))
