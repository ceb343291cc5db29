"""Everything about the candidates, side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minibert.comparison.candidates import Candidate
from minibert.comparison.memory import candidate_memory
from minibert.comparison.pareto import pareto_front
from minibert.comparison.speed import Speed, measure_speeds
from minibert.datasets.dataset import Dataset
from minibert.errors import DataError
from minibert.evaluation.bootstrap import Interval
from minibert.evaluation.task_metrics import TaskMetric
from minibert.finetuning.tasks import Task

SINGLES, MANY = 50, 128  # texts that are timed one by one, and together


class Quality(NamedTuple):
    """How good a candidate is on the rows that all are measured on."""

    metrics: dict[str, Interval]
    marks: np.ndarray  # (N, ...) of the main metric, for a comparison in pairs


def compare(
    candidates: list[Candidate],
    task: Task,
    rows: Dataset,
    backend: str,
    batch_size: int = 32,
    say: Callable[[str], None] = lambda text: None,
) -> list[dict[str, Any]]:
    """Measure all candidates on the same rows.

    Parameters
    ----------
    candidates : list of Candidate
        At least one, of the same task.
    task : Task
    rows : Dataset
        At least two, with labels that all candidates know.
    backend : str
        That the process which measures the memory uses.
    batch_size : int
        Inputs in the batch that memory is measured with.
    say : function
        Told what is measured.

    Returns
    -------
    list of dict
        A row a candidate, in their order: name, metrics with intervals, `difference` from the best with its interval
        and the number of rows on which the two `differ` (None for the best), parameters, trainable, disk and memory in
        bytes, latency p50 and p95 in seconds, texts_per_second, `pareto`.

    Raises
    ------
    DataError
        A label is none that a candidate knows; the message says which candidate.
    """
    inputs = task.inputs(rows)
    qualities = []
    for candidate in candidates:
        say(f"{candidate.name}: predicting {len(inputs):,} texts")
        qualities.append(quality(candidate, task, rows, inputs))
    say("latency and speed, in turns")
    speeds = measure_speeds({c.name: c.predict for c in candidates}, inputs[:SINGLES], inputs[:MANY])
    metric = task.metrics(candidates[0].names)[0]
    best = int(np.nanargmax([-np.inf if m != m else m for m in (main_value(q) for q in qualities)]))
    front = pareto_front([main_value(q) for q in qualities], [speeds[c.name].p50 for c in candidates])
    report = []
    for i, (candidate, q) in enumerate(zip(candidates, qualities, strict=True)):
        say(f"{candidate.name}: memory, in a process of its own")
        memory = candidate_memory(candidate, inputs[:batch_size], backend)
        difference = None if i == best else _difference(metric, q.marks, qualities[best].marks)
        facts = _facts(candidate, q, speeds[candidate.name], memory, inputs)
        report.append({**facts, "difference": difference, "pareto": front[i]})
    return report


def _difference(metric: TaskMetric, marks: np.ndarray, of_the_best: np.ndarray) -> dict[str, Any]:
    """Return how far a candidate is from the best, and on how much that rests."""
    interval = metric.difference(marks, of_the_best)
    apart = (marks != of_the_best).reshape(len(marks), -1).any(1)  # (N,)
    return {**interval._asdict(), "excludes_zero": interval.excludes(0), "differ": int(apart.sum())}


def _facts(candidate: Candidate, q: Quality, speed: Speed, memory: float | None, inputs: list) -> dict[str, Any]:
    """What concerns one candidate alone."""
    predictor = candidate.predictor
    return {
        "name": candidate.name,
        "metrics": {name: interval._asdict() for name, interval in q.metrics.items()},
        "parameters": candidate.parameters,
        "trainable": candidate.trainable,
        "disk": candidate.disk,
        "memory": memory,
        "latency_p50": speed.p50,
        "latency_p95": speed.p95,
        "texts_per_second": speed.per_second,
        "max_length": predictor and predictor.max_length,
        "truncated": predictor.encode(inputs).truncated if predictor else 0,
    }


def quality(candidate: Candidate, task: Task, rows: Dataset, inputs: list) -> Quality:
    """Return how good a candidate is. Each has its own order of the labels, so the truth is read for each."""
    try:
        truth = task.truth(rows, candidate.names)
    except DataError as error:
        raise DataError(f"{candidate.name}: {error}") from error
    predictions, metrics = candidate.predict(inputs), task.metrics(candidate.names)
    intervals = {metric.name: metric.interval(truth, predictions) for metric in metrics}
    return Quality(intervals, metrics[0].marks(truth, predictions))


def main_value(q: Quality) -> float:
    """Return the value of the main metric."""
    return next(iter(q.metrics.values())).value
