"""A label for each word of a sentence, as CoNLL columns give them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minibert.datasets.dataset import Dataset
from minibert.datasets.features import ClassLabel, Sequence
from minibert.errors import DataError
from minibert.evaluation.entities import entities
from minibert.evaluation.task_metrics import ENTITIES, WORDS, TaskMetric
from minibert.finetuning.tasks.base import Columns, Encoded, Task, cut_off
from minibert.finetuning.word_labels import piece_labels, word_predictions

if TYPE_CHECKING:
    from minibert.tokenizers.base import PretrainedTokenizer

OUTSIDE = "O"


class Tokens(Task):
    """A label for each word. Truth and predictions are names: N lists, one entry a word."""

    name = "tokens"
    kind = "token-classification"
    peft_type = "TOKEN_CLS"
    columns = Columns("tokens", "", "tags")

    def inputs(self, dataset: Dataset) -> list[list[str]]:
        """Return the words of each sentence."""
        sentences = dataset[self.columns.text]
        if not sentences:
            raise DataError("the dataset has no row")
        for i, words in enumerate(sentences):
            if not isinstance(words, list | tuple) or not all(isinstance(w, str) for w in words):
                raise DataError(f"row {i} of column {self.columns.text!r} is no list of words, as CoNLL columns give")
            if not words or not all(word.strip() for word in words):
                raise DataError(f"row {i} of column {self.columns.text!r} is empty, or holds an empty word")
        return sentences

    def label_names(self, dataset: Dataset) -> list[str]:
        """Return the names of the tags, sorted."""
        feature = dataset.class_encode_column(self.columns.label).features[self.columns.label]
        if not isinstance(feature, Sequence):
            raise DataError(f"column {self.columns.label!r} must hold a list of labels in each row, one a word")
        if len(feature.feature.names) < 2:
            raise DataError(f"all words have the label {feature.feature.names[0]!r}: to learn a difference takes two")
        return feature.feature.names

    def truth(self, dataset: Dataset, names: list[str]) -> list[list[str]]:
        """Return the tags of each word."""
        column, words = self.columns.label, self.inputs(dataset)
        numbers = dataset.cast_column(column, Sequence(ClassLabel(names)))[column]
        for i, (row, sentence) in enumerate(zip(numbers, words, strict=True)):
            if len(row) != len(sentence):
                raise DataError(f"row {i} has {len(sentence)} words, but {len(row)} labels: give one for each word")
        return [[names[number] for number in row] for row in numbers]

    def encode(self, tokenizer: PretrainedTokenizer, inputs: list[list[str]], max_length: int) -> Encoded:
        """Return a row a sentence."""
        encoding = tokenizer(inputs, is_split_into_words=True, truncation=True, max_length=max_length)
        words = [(encoding.word_ids(row), len(sentence)) for row, sentence in enumerate(inputs)]
        return Encoded(encoding.data, cut_off(encoding), words)

    def targets(self, encoded: Encoded, truth: list[list[str]], names: list[str]) -> dict[str, list]:
        """Return the number of its word's label at each first piece, -100 elsewhere."""
        number = {name: i for i, name in enumerate(names)}
        rows = zip(encoded.about, truth, strict=True)
        return {"labels": [piece_labels(ids, [number[name] for name in sentence]) for (ids, _), sentence in rows]}

    def predictions(self, encoded: Encoded, scores: np.ndarray, names: list[str]) -> list[list[str]]:
        """Return the label of each word; a word that was cut off is outside of everything."""
        rest = OUTSIDE if OUTSIDE in names else names[0]
        best = scores.argmax(-1)  # (N, T)
        found = []
        for (word_ids, n_words), row in zip(encoded.about, best, strict=True):
            numbers = word_predictions(word_ids, row[: len(word_ids)], n_words)
            found.append([names[number] if number >= 0 else rest for number in numbers])
        return found

    def metrics(self, names: list[str]) -> tuple[TaskMetric, ...]:
        """Entity F1, if the labels are BIO tags, and the share of words that are right."""
        try:
            entities(names)
        except DataError:
            return (WORDS,)
        return (ENTITIES, WORDS) if OUTSIDE in names else (WORDS,)

    def answer(self, prediction: list[str], given: list[str], names: list[str]) -> dict[str, Any]:
        """Return the entities, or where labels are no BIO tags, each word's."""
        if ENTITIES not in self.metrics(names):
            return {"words": list(given), "labels": prediction}
        found = entities(prediction)
        return {"entities": [{"type": e.type, "text": " ".join(given[e.start : e.stop])} for e in found]}
