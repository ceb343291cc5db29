"""The cells as tables in Markdown: accuracy with its interval and training time, and whether pre-training helped."""

from typing import Any

import numpy as np

from minibert.evaluation import accuracy, paired_bootstrap
from minibert.study.cells import BASELINE, LABELS, METHODS, STARTS, Cell

Cells = dict[str, dict[str, Any]]
MISSING = "not run yet"


def accuracy_table(cells: Cells) -> str:
    """Return a row for each start and method, a column for each number of labels."""
    rows = [["model", "trained", *(f"{n} labels" for n in LABELS)]]
    for start, title in STARTS.items():
        for method, how in METHODS.items():
            rows.append([title, how, *(_found(cells.get(Cell(start, method, n).name)) for n in LABELS)])
    rows.append(["TF-IDF", "logistic regression", *(_found(cells.get(Cell(*BASELINE, n).name)) for n in LABELS)])
    short, long = (Cell("minilm", "full", "all", long).name for long in (False, True))
    read_on = cells.get(short) and {**cells[short], **cells[short]["longer"]}
    rows.append([STARTS["minilm"], "full, tested on longer texts", "", "", _found(read_on)])
    rows.append([STARTS["minilm"], "full, trained and tested on longer texts", "", "", _found(cells.get(long))])
    return markdown(rows)


def _found(cell: dict[str, Any] | None) -> str:
    """For example 87.3 % [85.9, 88.7] 12 min."""
    if cell is None:
        return MISSING
    value, low, high = (100 * cell[name] for name in ("accuracy", "low", "high"))
    return f"{value:.1f} % [{low:.1f}, {high:.1f}] {duration(cell['seconds'])}"


def gains_table(cells: Cells, labels: np.ndarray) -> str:
    """Return how much better the model that we pre-trained is than the same from scratch, on the same test reviews."""
    rows = [["pre-trained by us against from scratch", *(f"{n} labels" for n in LABELS)]]
    for method, how in METHODS.items():
        rows.append([how, *(_gain(cells, labels, method, n) for n in LABELS)])
    return markdown(rows)


def _gain(cells: Cells, labels: np.ndarray, method: str, number: str) -> str:
    """For example +9.6 [+7.7, +11.5] points."""
    pair = [cells.get(Cell(start, method, number).name) for start in ("pretrained", "scratch")]
    if None in pair:
        return MISSING
    ours, scratch = (np.array(list(cell["predictions"]), np.int64) for cell in pair)  # (N,)
    gain = paired_bootstrap(accuracy, labels, ours, scratch)
    return f"{100 * gain.value:+.1f} [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}] points"


def duration(seconds: float) -> str:
    """Return a time with about two digits."""
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.2g} min" if seconds < 600 else f"{seconds / 60:.0f} min"


def markdown(rows: list[list[str]]) -> str:
    """Return a table whose first row is the head."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])
