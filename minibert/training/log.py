"""What a run tells: one JSON object a line in `log.jsonl`, and a progress bar."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TextIO

from tqdm import tqdm

from minibert.errors import CheckpointError
from minibert.fields import check_type, from_json
from minibert.files import LARGEST_LIST, read_text, write_whole
from minibert.json_text import parse
from minibert.models.base import Losses

LOG = "log.jsonl"
BY_TOKEN = ("mlm", "clm")  # the losses by token, of which a run has one


def main_part(record: dict[str, Any], prefix: str = "") -> str | None:
    """Return the name of the loss by token that a record has, or None; `prefix` is that of its keys, as "eval_"."""
    return next((name for name in BY_TOKEN if f"{prefix}{name}_loss" in record), None)


@dataclass
class Window:
    """Sums over the steps since the last logged one."""

    start: float = field(default_factory=time.perf_counter)
    steps: int = 0
    tokens: int = 0
    loss: float = 0.0
    grad_norm: float = 0.0
    parts: dict[str, list[float]] = field(default_factory=dict)  # name -> [loss times targets, correct, targets]

    def add(self, losses: Losses, grad_norm: float, tokens: int) -> None:
        """Count one step."""
        self.steps += 1
        self.tokens += tokens
        self.loss += losses.total
        self.grad_norm += grad_norm
        for name, part in losses.parts.items():
            sums = self.parts.setdefault(name, [0.0, 0, 0])
            for i, value in enumerate((part.loss * part.count, part.correct, part.count)):
                sums[i] += value

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` reads: the sums, and the seconds that have passed."""
        values = dict(vars(self))
        return {**values, "start": values["start"] - time.perf_counter()}

    @classmethod
    def from_dict(cls, values: Any, where: str = "window") -> Self:
        """Return the window again; its time goes on.

        Raises `CheckpointError`, which says `where`, if it is not what `to_dict` returned.
        """
        window = from_json(cls, values, where)
        if any(len(sums) != 3 for sums in window.parts.values()):
            raise CheckpointError(f"{where}: each of `parts` must be three numbers")
        window.start += time.perf_counter()
        return window

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do not count the time spent inside a `with` block."""
        before = time.perf_counter()
        yield
        self.start += time.perf_counter() - before

    def means(self) -> dict[str, float]:
        """Return what a logged step shows."""
        record = {"loss": self.loss / self.steps}
        for name, (loss, correct, count) in self.parts.items():
            record[f"{name}_loss"] = loss / max(1, count)
            record[f"{name}_accuracy"] = correct / max(1, count)
        record["grad_norm"] = self.grad_norm / self.steps
        record["tokens_per_second"] = self.tokens / (time.perf_counter() - self.start)
        return record


class RunLog:
    """Writes records to a new `log.jsonl` and shows them on a progress bar.

    Without a terminal there is no bar; evaluations are printed as lines in either case.

    Parameters
    ----------
    folder : Path or None
        The run folder. None: nothing is written.
    max_steps : int
    progress : bool
    history : list of dict, optional
        The records of a run that goes on: the new file begins with them.
    step : int
        The step that it goes on after.

    Attributes
    ----------
    history : list of dict
        All records.
    """

    def __init__(
        self,
        folder: Path | None,
        max_steps: int,
        progress: bool = True,
        history: list[dict[str, Any]] | None = None,
        step: int = 0,
    ) -> None:
        self.history = [] if history is None else history
        if folder:
            lines = "".join(map(_line, self.history))
            write_whole(folder / LOG, lambda path: path.write_text(lines, encoding="utf-8"))
        self._file: TextIO | None = folder and (folder / LOG).open("a", encoding="utf-8")
        shown = progress and sys.stderr.isatty()
        self._bar = tqdm(total=max_steps, initial=step, unit="step", dynamic_ncols=True, disable=not shown)
        self._progress = progress

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self._bar.close()
        if self._file:
            self._file.close()

    def advance(self) -> None:
        """Move the bar by one step."""
        self._bar.update()

    def write(self, record: dict[str, Any]) -> None:
        """Append a record; each line is complete on disk before training goes on."""
        self.history.append(record)
        if self._file:
            self._file.write(_line(record))
            self._file.flush()
        if "loss" in record:
            shown = {"loss": f"{record['loss']:.3f}"}
            if name := main_part(record):
                shown = {f"{name.upper()} loss": f"{record[f'{name}_loss']:.3f}"}
                shown["accuracy"] = f"{record[f'{name}_accuracy']:.1%}"
            shown["tok/s"] = f"{record['tokens_per_second']:,.0f}"
            self._bar.set_postfix(shown)

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        if self._progress:
            tqdm.write(text, file=sys.stderr)


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record) + "\n"


def read_log(folder: Path) -> list[dict[str, Any]]:
    """Return the records of a run's `log.jsonl`; a last line that was cut off is left out.

    Raises
    ------
    CheckpointError
        It cannot be read, or one of its lines is no record.
    """
    path, records = folder / LOG, []
    *lines, last = read_text(path, largest=LARGEST_LIST).split("\n")
    for number, line in enumerate(lines, 1):
        records.append(_record(line, f"{path}, line {number}"))
    with suppress(CheckpointError):
        records.append(_record(last, str(path)))
    return records


def _record(line: str, where: str) -> dict[str, Any]:
    """Return the record of a line, whose numbers are numbers: what reads the log computes with them."""
    record = parse(line, where, CheckpointError)
    if not isinstance(record, dict) or not isinstance(record.get("step"), int):
        raise CheckpointError(f"{where}: not a record, which has a `step`")
    for name, value in record.items():
        if name == "step" or name.endswith(("loss", "accuracy", "perplexity")):
            check_type(name, value, float, where)
    return record
