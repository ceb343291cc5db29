"""Two texts that are alike, or not: what a sentence encoder learns from. It has no head, its vectors are the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minibert.blocks.cosines import pair_cosines
from minibert.datasets.checks import numbers
from minibert.datasets.dataset import Dataset
from minibert.errors import ConfigError, DataError
from minibert.evaluation.task_metrics import RETRIEVAL, SIMILARITY, TaskMetric
from minibert.finetuning.tasks.base import Columns, Encoded, Task, filled_texts
from minibert.sentence_encoder.fit import in_pairs
from minibert.sentence_encoder.pairs import PairVectors, SentencePairs
from minibert.sentence_encoder.similarity import ranks

if TYPE_CHECKING:
    from minibert.tokenizers.base import PretrainedTokenizer

SCORED, MATCHING = "score", "match"  # the one label: how alike the two are, or that they belong together


class Pairs(Task):
    """How alike two texts are. A table without the column of scores says which texts belong together."""

    name = "pairs"
    kind = "pairs"
    peft_type = "FEATURE_EXTRACTION"
    columns = Columns("sentence1", "sentence2", "score")
    has_head = False

    def inputs(self, dataset: Dataset) -> list[tuple[str, str]]:
        """Return (text, text)."""
        firsts, seconds = (filled_texts(dataset, column) for column in self.columns[:2])
        return list(zip(firsts, seconds, strict=True))

    def label_names(self, dataset: Dataset) -> list[str]:
        """Return what is learned: scores, or which texts belong together. A column that was asked for must be there."""
        column = self.columns.label
        if column == type(self).columns.label and column not in dataset.column_names:
            self.truth(dataset, [MATCHING])
            return [MATCHING]
        scores = self.truth(dataset, [SCORED])
        if scores.min() == scores.max():
            raise DataError(f"all rows of column {column!r} are {scores[0]:g}: nothing to learn")
        return [SCORED]

    def truth(self, dataset: Dataset, names: list[str]) -> np.ndarray:
        """Return the scores (N,), or where pairs have none, that each text's own partner is the right one, (N,)."""
        if len(dataset) < 2:
            raise DataError(f"there is {len(dataset)} pair of texts, with nothing to compare it to: add rows")
        if names == [MATCHING]:
            return np.ones(len(dataset))
        scores = numbers(dataset, self.columns.label)
        for i in np.flatnonzero(np.abs(scores) > 1)[:1]:
            raise DataError(
                f"row {i} of column {self.columns.label!r} is {scores[i]:g}, but a cosine is within -1..1: divide the "
                "scores by the highest possible"
            )
        return scores

    def check_batch(self, batch_size: int, names: list[str]) -> None:
        """Without scores a text is told from the others of its batch."""
        if names == [MATCHING] and batch_size < 2:
            raise ConfigError(
                f"--batch_size is {batch_size}, but pairs without scores learn from the others of their batch: take at "
                "least 2, better 32 or more"
            )

    def config(self, names: list[str]) -> dict[str, Any]:
        """Say nothing: there is no head."""
        return {}

    def cut_at(self, model: SentencePairs, max_length: int) -> None:
        """The encoder cuts texts where they were cut to train it."""
        model.encoder.recipe = model.encoder.recipe._replace(max_seq_length=max_length)

    def encode(self, tokenizer: PretrainedTokenizer, inputs: list, max_length: int) -> Encoded:
        """Return a row (2, T) a pair."""
        encoding = tokenizer([text for pair in inputs for text in pair], truncation=True, max_length=max_length)
        cut = np.array([bool(row.overflowing) for row in encoding.encodings]).reshape(-1, 2)  # (N, 2)
        return Encoded(in_pairs(encoding["input_ids"], tokenizer.pad_token_id or 0), int(cut.any(1).sum()))

    def targets(self, encoded: Encoded, truth: np.ndarray, names: list[str]) -> dict[str, list]:
        """Return the scores, if there are any."""
        return {"labels": list(truth)} if names == [SCORED] else {}

    def scorer(self, model: SentencePairs) -> PairVectors:
        """Return what gives the vectors."""
        return PairVectors(model)

    def predictions(self, encoded: Encoded, scores: np.ndarray, names: list[str]) -> np.ndarray:
        """vectors (N, 2, D)  ->  cosines (N,); of texts that belong together with the rank of the partner, (N, 2)."""
        u, v = scores.swapaxes(0, 1).astype(np.float64)  # (N, D) each
        cosines = pair_cosines(u, v)[0]
        return cosines if names == [SCORED] else np.stack([cosines, ranks(u, v)], -1)

    def metrics(self, names: list[str]) -> tuple[TaskMetric, ...]:
        """The correlations with the scores, or how often the own partner is the most alike of all second texts."""
        return SIMILARITY if names == [SCORED] else RETRIEVAL

    def answer(self, prediction: np.ndarray, given: tuple[str, str], names: list[str]) -> dict[str, Any]:
        """Return the cosine."""
        return {"cosine": float(np.ravel(prediction)[0])}
