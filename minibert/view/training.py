"""A training run: its curves, the gradients of its layers, and what it predicted at every step that it saved."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from minibert.view.curves import TITLES, read_curves
from minibert.view.page import Page
from minibert.view.saved_steps import TOP, predictions
from minibert.view.windows import Windows

POINTS = 1500  # of a curve, in a page
EVERYTHING = 1_000_000_000  # no array is cut


def training_view(run: str | Path, text: str | None = None) -> Page:
    """Return a view of a run of `minibert pretrain`: finished, interrupted, or still training.

    Parameters
    ----------
    run : path
        The run folder.
    text : str, optional
        What every saved step predicts: a sentence with masks ("[MASK]", or "<mask>" of RoBERTa), of a GPT what comes
        after it.

    Returns
    -------
    Page
        Shows itself in Jupyter (extra `lessons`); `.to_html(path)` writes it.

    Raises
    ------
    CheckpointError
        If the folder is not one of such a run, or a checkpoint in it is damaged.
    DataError
        If the text has no mask, or is too long for the model.
    """
    run = Path(run)
    steps, evaluations, part = read_curves(run)
    windows = Windows(EVERYTHING, {})
    shown = thinned(steps)
    data = {
        "view": "training",
        "title": f"Training of {run.resolve().name}",
        "every": math.ceil(len(steps) / POINTS),
        "charts": _charts(shown, evaluations, part, windows),
        "layers": _layers(shown, windows),
        "saved": predictions(run, part, text, evaluations[-1]["step"], windows),
        "top": TOP,
    }
    arrays, numbers = windows.pack()
    return Page(data["title"], {**data, "arrays": arrays}, numbers)


def thinned(records: list[dict[str, Any]], most: int = POINTS) -> list[dict[str, Any]]:
    """Return every second, third, ... record, and the last: what is shown is what the log says, not a mean."""
    return records[::-1][:: max(1, math.ceil(len(records) / most))][::-1]


def _charts(steps: list[dict], evaluations: list[dict], part: str, windows: Windows) -> list[dict[str, Any]]:
    """The losses, the learning rate and the norm of the whole gradient, each over the steps."""
    measured = thinned(evaluations)

    def loss(name: str, title: str) -> dict[str, Any]:
        lines = [("training", steps, f"{name}_loss"), ("held out", measured, f"eval_{name}_loss")]
        return {"title": f"{title} (nats)", "series": _series(lines, windows)}

    found = ((name, evaluations[-1].get(f"eval_{name}_loss")) for name in ("unigram", "bigram"))
    levels = [{"name": name, "value": value} for name, value in found if value is not None]
    charts = [{**loss(part, TITLES[part]), "levels": levels}]
    if any("nsp_loss" in record for record in steps):
        charts.append(loss("nsp", "next-sentence loss"))
    for title, key, log in (
        ("learning rate", "learning_rate", False),
        ("norm of the gradient, before clipping", "grad_norm", True),
    ):
        charts.append({"title": title, "series": _series([(title.split(",")[0], steps, key)], windows), "log": log})
    return [chart for chart in charts if chart["series"]]


def _layers(steps: list[dict], windows: Windows) -> list[dict[str, Any]]:
    """A line for each layer: the norm of its gradient. Empty if the run did not log them."""
    records = [{"step": record["step"], **record["grad_norms"]} for record in steps if "grad_norms" in record]
    layers = dict.fromkeys(name for record in records for name in record if name != "step")
    return _series([(name, records, name) for name in layers], windows)


def _series(lines: list[tuple[str, list[dict], str]], windows: Windows) -> list[dict[str, Any]]:
    """Arrays of steps and values, of the records that have one."""
    series = []
    for name, records, key in lines:
        points = [(record["step"], record[key]) for record in records if key in record]
        if points:
            x, y = np.array(points, float).T
            series.append({"name": name, "x": windows.add(x), "y": windows.add(y)})
    return series
