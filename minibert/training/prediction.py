"""What a model says about examples: scores, loss and metrics, without dropout."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from minibert.dispatch import no_grad
from minibert.errors import ConfigError
from minibert.ops import IGNORE_INDEX
from minibert.training.examples import Examples

Arrays = np.ndarray | tuple[np.ndarray, ...]


class EvalPrediction(NamedTuple):
    """What `compute_metrics` gets: scores (N, ...) and labels (N, ...), or tuples of them where there are several."""

    predictions: Arrays
    label_ids: Arrays | None


class PredictionOutput(NamedTuple):
    """What `Trainer.predict` returns."""

    predictions: Arrays
    label_ids: Arrays | None
    metrics: dict[str, float]


class Predicted(NamedTuple):
    """Scores and labels in the order of the examples, and the mean loss over all targets, if there are labels.

    A loss that is a sum, as of spans, has one number of targets a batch: that of its parts together.
    """

    scores: Arrays
    labels: Arrays | None
    loss: float | None


def compute(metrics: Callable[[EvalPrediction], dict[str, float]], prediction: EvalPrediction) -> dict[str, float]:
    """Return what `compute_metrics` says. Raises `ConfigError` if it does not name its numbers."""
    result = metrics(prediction)
    if not isinstance(result, Mapping):
        raise ConfigError(f"compute_metrics must return a dict, {{name: number}}, but returned {result!r:.40}")
    return dict(result)


def predict(
    model: Any,
    examples: Examples,
    collate: Callable,
    batch_size: int,
    label_names: tuple[str, ...],
    smoothing: float = 0.0,
) -> Predicted:
    """Run the model over all examples: the longest first, so that a batch needs little padding.

    Scores are the outputs whose name ends in `logits`. Where rows differ in length, the shorter are padded with -100.
    `smoothing` is the epsilon of `smoothed_cross_entropy`, for the loss.
    """
    order = np.argsort(-examples.lengths(), kind="stable")
    outputs, targets, total, count = [], [], 0.0, 0
    for places in np.split(order, range(batch_size, len(order), batch_size)):
        batch = collate([examples[i] for i in places])
        labels = {name: batch[name] for name in label_names if name in batch}
        with no_grad():
            scores, loss = _run(model, batch, labels, smoothing)
        outputs.append(scores)
        targets.append(tuple(labels.values()))
        if loss is not None:
            n = sum(model.count_targets(batch).values())
            total, count = total + float(loss) * n, count + n
    return Predicted(_joined(outputs, order), _joined(targets, order), total / count if count else None)


def _run(model: Any, batch: dict, labels: dict, smoothing: float) -> tuple[tuple[np.ndarray, ...], float | None]:
    if not smoothing or not labels:
        output = model(**batch)
        return _scores(output), output["loss"] if "loss" in list(output) else None
    if not hasattr(model, "loss"):
        raise ConfigError(f"label_smoothing_factor needs a model with a task's head, not {type(model).__name__}")
    output = model(**{name: array for name, array in batch.items() if name not in labels})
    scores = _scores(output)
    return scores, model.loss(scores[0], labels, {}, smoothing)[0].total


def _scores(output: Any) -> tuple[np.ndarray, ...]:
    return tuple(output[name] for name in output if name.endswith("logits"))


def _joined(batches: list[tuple[np.ndarray, ...]], order: np.ndarray) -> Arrays | None:
    """The arrays of all batches, each (n, ...), as one (N, ...) in the order of the examples; several as a tuple."""
    joined = tuple(_in_order(parts, order) for parts in zip(*batches, strict=True))
    return joined if len(joined) > 1 else (joined[0] if joined else None)


def _in_order(parts: tuple[np.ndarray, ...], order: np.ndarray) -> np.ndarray:
    shape = tuple(max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True))
    whole = np.full((len(order), *shape), IGNORE_INDEX, parts[0].dtype)
    first = 0
    for part in parts:
        whole[(order[first : first + len(part)], *(slice(size) for size in part.shape[1:]))] = part
        first += len(part)
    return whole
