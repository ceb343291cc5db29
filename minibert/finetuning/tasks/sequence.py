"""One decision about a whole text, or a pair of texts: one class, any of several labels, or a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from minibert.datasets.checks import classes, numbers
from minibert.datasets.dataset import Dataset
from minibert.datasets.features import ClassLabel, Sequence
from minibert.errors import DataError
from minibert.evaluation.task_metrics import CLASSIFICATION, MULTI_LABEL, REGRESSION, TaskMetric
from minibert.finetuning.tasks.base import Columns, Encoded, Task, cut_off, filled_texts
from minibert.models import label_config
from minibert.ops.attention import softmax

if TYPE_CHECKING:
    from minibert.tokenizers.base import PretrainedTokenizer


class SequenceTaskBase(Task):
    """What the three share: texts, or pairs of texts."""

    kind = "sequence-classification"
    peft_type = "SEQ_CLS"
    columns = Columns("text", "", "label")
    problem: ClassVar[str]

    def inputs(self, dataset: Dataset) -> list:
        """Return texts, or (text, text)."""
        found = filled_texts(dataset, self.columns.text)
        return list(zip(found, filled_texts(dataset, self.columns.pair), strict=True)) if self.columns.pair else found

    def config(self, names: list[str]) -> dict[str, Any]:
        """Return the labels, and the kind of problem."""
        return {**super().config(names), "problem_type": self.problem}

    def encode(self, tokenizer: PretrainedTokenizer, inputs: list, max_length: int) -> Encoded:
        """Return a row an example."""
        encoding = tokenizer(inputs, truncation=True, max_length=max_length)
        return Encoded(encoding.data, cut_off(encoding))


class Classification(SequenceTaskBase):
    """One class of several."""

    name = "classification"
    problem = label_config.SINGLE_LABEL

    def label_names(self, dataset: Dataset) -> list[str]:
        """Return the names of the classes."""
        return classes(dataset, self.columns.label)[1].names

    def truth(self, dataset: Dataset, names: list[str]) -> np.ndarray:
        """Return classes, (N,) integers."""
        return class_numbers(dataset, self.columns.label, names)

    def predictions(self, encoded: Encoded, scores: np.ndarray, names: list[str]) -> np.ndarray:
        """Return probabilities (N, C)."""
        return softmax(scores.astype(np.float64))

    def metrics(self, names: list[str]) -> tuple[TaskMetric, ...]:
        """Accuracy, macro F1, calibration error."""
        return CLASSIFICATION

    def answer(self, prediction: np.ndarray, given: Any, names: list[str]) -> dict[str, Any]:
        """Return the most probable class, and the probability of each."""
        return {"label": names[prediction.argmax()], "probabilities": probabilities(prediction, names)}


class Regression(SequenceTaskBase):
    """A number."""

    name = "regression"
    problem = label_config.REGRESSION

    def label_names(self, dataset: Dataset) -> list[str]:
        """Return the one name, that of the column."""
        numbers_to_learn = numbers(dataset, self.columns.label)
        if numbers_to_learn.min() == numbers_to_learn.max():
            raise DataError(f"all rows of column {self.columns.label!r} are {numbers_to_learn[0]:g}: nothing to learn")
        return [self.columns.label]

    def truth(self, dataset: Dataset, names: list[str]) -> np.ndarray:
        """Return (N,) numbers."""
        return numbers(dataset, self.columns.label)

    def predictions(self, encoded: Encoded, scores: np.ndarray, names: list[str]) -> np.ndarray:
        """Return (N,) numbers."""
        return scores[:, 0].astype(np.float64)

    def metrics(self, names: list[str]) -> tuple[TaskMetric, ...]:
        """The two correlations."""
        return REGRESSION

    def answer(self, prediction: float, given: Any, names: list[str]) -> dict[str, Any]:
        """Return the number by the name of its column."""
        return {names[0]: float(prediction)}


class MultiLabel(SequenceTaskBase):
    """Any number of labels: a list of names in each row, `["toxic", "insult"]` or `[]`."""

    name = "multi-label"
    problem = label_config.MULTI_LABEL
    columns = Columns("text", "", "labels")

    def label_names(self, dataset: Dataset) -> list[str]:
        """Return the names of the labels, sorted."""
        encoded = dataset.class_encode_column(self.columns.label)
        feature = encoded.features[self.columns.label]
        if not isinstance(feature, Sequence):
            raise DataError(f"column {self.columns.label!r} must hold a list of labels in each row, as JSONL can")
        rows = {frozenset(row) for row in encoded[self.columns.label]}
        if len(rows) < 2:
            raise DataError(f"all rows of column {self.columns.label!r} have the same labels: nothing to learn")
        return feature.feature.names

    def truth(self, dataset: Dataset, names: list[str]) -> np.ndarray:
        """Return (N, L) of 0 and 1."""
        column = self.columns.label
        found = np.zeros((len(dataset), len(names)), np.int64)
        for i, row in enumerate(dataset.cast_column(column, Sequence(ClassLabel(names)))[column]):
            found[i, row] = 1
        return found

    def targets(self, encoded: Encoded, truth: np.ndarray, names: list[str]) -> dict[str, list]:
        """Return the labels as numbers."""
        return {"labels": list(truth.astype(np.float32))}

    def predictions(self, encoded: Encoded, scores: np.ndarray, names: list[str]) -> np.ndarray:
        """Return the probability of each label, sigmoid(score), (N, L)."""
        from scipy.special import expit

        return expit(scores.astype(np.float64))

    def metrics(self, names: list[str]) -> tuple[TaskMetric, ...]:
        """Micro F1, and the share of examples with all labels right."""
        return MULTI_LABEL

    def answer(self, prediction: np.ndarray, given: Any, names: list[str]) -> dict[str, Any]:
        """Return the labels that are more probable than not, and the probability of each."""
        chosen = [name for name, p in zip(names, prediction, strict=True) if p > 0.5]
        return {"labels": chosen, "probabilities": probabilities(prediction, names)}


def probabilities(prediction: np.ndarray, names: list[str]) -> dict[str, float]:
    """Return {name: probability}, the largest first."""
    return {names[i]: float(prediction[i]) for i in np.argsort(-prediction, kind="stable")}


def class_numbers(dataset: Dataset, column: str, names: list[str]) -> np.ndarray:
    """Return a column as numbers of the classes `names`, (N,).

    Classes without names of their own, LABEL_0 and so on, are what the data's numbers say.

    Raises
    ------
    DataError
        A label is missing, unknown or out of range; the message names the row and the known ones.
    """
    if names == [f"LABEL_{i}" for i in range(len(names))] and column in dataset.class_columns:
        dataset = Dataset({column: dataset[column]})
    return np.array(dataset.cast_column(column, ClassLabel(names))[column])
