"""One of several continuations of a text: a list of choices in each row, as JSONL can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minibert.datasets.dataset import Dataset
from minibert.errors import DataError
from minibert.evaluation.task_metrics import CHOICE, TaskMetric
from minibert.fields import short
from minibert.finetuning.tasks.base import Columns, Encoded, Task, cut_off, filled_texts
from minibert.ops.attention import softmax

if TYPE_CHECKING:
    from minibert.tokenizers.base import PretrainedTokenizer


class MultipleChoice(Task):
    """The label is the number of the right choice, from 0, or its text."""

    name = "multiple-choice"
    kind = "multiple-choice"
    peft_type = None
    columns = Columns("question", "choices", "label")

    def inputs(self, dataset: Dataset) -> list[tuple[str, list[str]]]:
        """Return (question, choices)."""
        questions, choices = filled_texts(dataset, self.columns.text), dataset[self.columns.pair]
        for i, row in enumerate(choices):
            if not isinstance(row, list) or len(row) < 2 or not all(isinstance(c, str) and c.strip() for c in row):
                raise DataError(f"row {i} of column {self.columns.pair!r} must be a list of at least two texts")
            if len(row) != len(choices[0]):
                raise DataError(f"row {i} has {len(row)} choices, but row 0 has {len(choices[0])}: give all as many")
        return list(zip(questions, choices, strict=True))

    def label_names(self, dataset: Dataset) -> list[str]:
        """Return one name: the choices differ from row to row."""
        self.truth(dataset, [])
        return [self.columns.label]

    def truth(self, dataset: Dataset, names: list[str]) -> np.ndarray:
        """Return the number of the right choice, (N,)."""
        found = []
        for i, (label, (_, choices)) in enumerate(zip(dataset[self.columns.label], self.inputs(dataset), strict=True)):
            number = choices.index(label) if label in choices else label
            if type(number) is not int or not 0 <= number < len(choices):
                what = "is missing" if label in (None, "") else f"is {short(label)}"
                raise DataError(
                    f"row {i} of column {self.columns.label!r} {what}: it must be within 0..{len(choices) - 1}, or one "
                    "of the choices"
                )
            found.append(number)
        return np.array(found)

    def config(self, names: list[str]) -> dict[str, Any]:
        """Say nothing: each choice gets one score whatever the labels are."""
        return {}

    def encode(self, tokenizer: PretrainedTokenizer, inputs: list, max_length: int) -> Encoded:
        """Return a row (C, T) an example: its question with each choice, padded to the longest."""
        columns: dict[str, list] = {}
        truncated = 0
        for question, choices in inputs:
            encoding = tokenizer(
                [question] * len(choices), choices, truncation=True, max_length=max_length, padding=True
            )
            truncated += bool(cut_off(encoding))
            for name, rows in encoding.items():
                columns.setdefault(name, []).append(rows)
        return Encoded(columns, truncated)

    def predictions(self, encoded: Encoded, scores: np.ndarray, names: list[str]) -> np.ndarray:
        """Return the probability of each choice, (N, C)."""
        return softmax(scores.astype(np.float64))

    def metrics(self, names: list[str]) -> tuple[TaskMetric, ...]:
        """Accuracy."""
        return CHOICE

    def answer(self, prediction: np.ndarray, given: tuple[str, list[str]], names: list[str]) -> dict[str, Any]:
        """Return the most probable choice, and the probability of each."""
        order = np.argsort(-prediction, kind="stable")
        return {"label": given[1][order[0]], "probabilities": {given[1][i]: float(prediction[i]) for i in order}}
