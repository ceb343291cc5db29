"""The metrics of each task in one form: what each example contributes, and how that is reduced to a number.

The two halves are what a bootstrap needs. It resamples the marks of the examples, so that two models that were scored
on the same examples can be compared in pairs.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minibert.evaluation.accuracy import correct
from minibert.evaluation.answers import exact_matches, token_f1s
from minibert.evaluation.bootstrap import Interval, bootstrap, paired_bootstrap
from minibert.evaluation.calibration import calibration_error
from minibert.evaluation.correlation import pearson, spearman
from minibert.evaluation.entities import entity_tallies, f1_of_tallies
from minibert.evaluation.precision_recall_f1 import f1


class TaskMetric(NamedTuple):
    """A metric of a task."""

    name: str
    marks: Callable[[Any, Any], np.ndarray]  # truth, predictions  ->  (N, ...), an entry an example
    reduce: Callable[[np.ndarray], Any]  # (N, ...)  ->  the metric; vectorized: (R, N, ...)  ->  (R,)
    vectorized: bool = False

    def interval(self, truth: Any, predictions: Any, **options: Any) -> Interval:
        """Return the metric with its bootstrap interval; `options` are those of `bootstrap`."""
        return bootstrap(self.reduce, self.marks(truth, predictions), vectorized=self.vectorized, **options)

    def difference(self, a: np.ndarray, b: np.ndarray, **options: Any) -> Interval:
        """Return the metric of the marks of one model minus that of another's, resampled together."""
        return paired_bootstrap(self.reduce, (), a, b, vectorized=self.vectorized, **options)


def _mean(marks: np.ndarray) -> np.ndarray:
    return marks.mean(1, dtype=np.float64)  # (R, N)  ->  (R,)


def _ratio(marks: np.ndarray) -> np.ndarray:
    """(R, N, 2) right and counted  ->  (R,) the sum of the one by the sum of the other."""
    right, counted = np.moveaxis(marks.sum(1), -1, 0)  # (R,)
    return right / np.maximum(counted, 1)


def _pairs(truth: Sequence[float], predictions: Sequence[float]) -> np.ndarray:
    return np.stack([np.asarray(truth, np.float64), np.asarray(predictions, np.float64)], -1)  # (N, 2)


def _class_pairs(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    return np.stack([np.asarray(truth), np.asarray(probabilities).argmax(-1)], -1)  # (N, 2)


def _with_probabilities(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    return np.concatenate([np.asarray(truth)[:, None], probabilities], 1)  # (N, 1 + C)


def _decisions(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    return np.stack([np.asarray(truth), np.asarray(probabilities) > 0.5], -1)  # (N, L, 2)


def _word_tallies(truth: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]]) -> np.ndarray:
    """(N, 2): how many words of each sentence are right, and how many there are."""
    pairs = zip(truth, predictions, strict=True)
    return np.array([(sum(a == b for a, b in zip(t, p, strict=True)), len(t)) for t, p in pairs])


ACCURACY = TaskMetric("accuracy", lambda t, p: correct(t, np.asarray(p).argmax(-1)), _mean, vectorized=True)
CLASSIFICATION = (
    ACCURACY,
    TaskMetric("macro_f1", _class_pairs, lambda m: f1(m[:, 0], m[:, 1], "macro")),
    TaskMetric(
        "calibration_error", _with_probabilities, lambda m: calibration_error(m[:, 0].astype(np.int64), m[:, 1:])
    ),
)
REGRESSION = (
    TaskMetric("pearson", _pairs, lambda m: pearson(m[:, 0], m[:, 1])),
    TaskMetric("spearman", _pairs, lambda m: spearman(m[:, 0], m[:, 1])),
)
SIMILARITY = REGRESSION[::-1]  # the order counts more than the distances
RETRIEVAL = (  # predictions (N, 2): the cosine of each pair, and the rank of its own second text among all
    TaskMetric("retrieval_accuracy", lambda t, p: p[:, 1] == 1, _mean, vectorized=True),
    TaskMetric("mean_reciprocal_rank", lambda t, p: 1 / p[:, 1], _mean, vectorized=True),
)
MULTI_LABEL = (
    TaskMetric("micro_f1", _decisions, lambda m: f1(m[..., 0], m[..., 1], "micro")),
    TaskMetric("accuracy", lambda t, p: correct(t, (np.asarray(p) > 0.5).astype(int)), _mean, vectorized=True),
)
ENTITIES = TaskMetric("entity_f1", entity_tallies, f1_of_tallies, vectorized=True)
WORDS = TaskMetric("word_accuracy", _word_tallies, _ratio, vectorized=True)
ANSWERS = (  # truth as SQuAD has it: {"text": [...], ...} a question
    TaskMetric("token_f1", lambda t, p: token_f1s([a["text"] for a in t], p), _mean, vectorized=True),
    TaskMetric("exact_match", lambda t, p: exact_matches([a["text"] for a in t], p), _mean, vectorized=True),
)
CHOICE = (ACCURACY,)


def intervals(metrics: Sequence[TaskMetric], truth: Any, predictions: Any, **options: Any) -> dict[str, Interval]:
    """Return {name: metric with its interval}, the main metric first."""
    return {metric.name: metric.interval(truth, predictions, **options) for metric in metrics}
