"""`SentenceEncoder.fit`: texts in pairs, and a `Trainer` in one call."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from minibert.errors import ConfigError, DataError
from minibert.evaluation.correlation import pearson, spearman
from minibert.sentence_encoder.pairs import MatchingPairs, ScoredPairs, SentencePairs, check_scores
from minibert.training.callbacks import TrainerCallback
from minibert.training.collate import DataCollatorWithPadding
from minibert.training.examples import Columns
from minibert.training.prediction import EvalPrediction
from minibert.training.records import TrainOutput
from minibert.training.trainer import Trainer
from minibert.training.training_arguments import TrainingArguments

if TYPE_CHECKING:
    from minibert.sentence_encoder.encoder import SentenceEncoder

Pairs = Sequence[tuple[str, str]]
Scored = tuple[Pairs, Sequence[float]]


def fit_pairs(
    encoder: "SentenceEncoder",
    pairs: Pairs,
    scores: Sequence[float] | None,
    validation_data: Pairs | Scored | None,
    scale: float,
    callbacks: Iterable[TrainerCallback | type] | None,
    **options: Any,
) -> TrainOutput:
    """Train an encoder: see `SentenceEncoder.fit`."""
    model = pairs_model(encoder, scores, scale)
    defaults = {"save_strategy": "no", "eval_strategy": "no" if validation_data is None else "epoch"}
    args = TrainingArguments(**{**defaults, **options})
    if scores is None and min(len(pairs), args.per_device_train_batch_size) < 2:
        raise ConfigError(
            "pairs without scores learn from the other pairs of their batch: give at least 2 pairs, and a "
            "per_device_train_batch_size of at least 2"
        )
    heldout = None
    if validation_data is not None:
        heldout = pair_columns(encoder, *((validation_data,) if scores is None else _scored(validation_data)))
    trainer = Trainer(
        model,
        args,
        train_dataset=pair_columns(encoder, pairs, scores),
        eval_dataset=heldout,
        compute_metrics=None if scores is None else correlations,
        callbacks=callbacks,
    )
    return trainer.train()


def pairs_model(encoder: "SentenceEncoder", scores: Sequence[float] | None, scale: float = 20.0) -> SentencePairs:
    """Return what learns from pairs with scores, or from those without."""
    return MatchingPairs(encoder, scale) if scores is None else ScoredPairs(encoder)


def pair_columns(
    encoder: "SentenceEncoder", pairs: Pairs, scores: Sequence[float] | None = None
) -> dict[str, list[np.ndarray]]:
    """Return the columns `input_ids` and `attention_mask` of pairs of texts, (2, T) each, and `labels`.

    Raises
    ------
    DataError
        If a pair is not two texts, or scores are not as many as pairs, or not within -1..1.
    """
    for i, pair in enumerate(pairs):
        if isinstance(pair, str) or np.shape(pair) != (2,):
            raise DataError(f"pair {i} is {pair!r:.60}, but a pair is two texts")
    columns = in_pairs(encoder.tokens(chain.from_iterable(pairs)), encoder.model.config.pad_token_id or 0)
    if scores is not None:
        columns["labels"] = list(check_scores("scores", scores, len(pairs)).astype(float))
    return columns


def in_pairs(rows: Sequence[list[int]], pad: int) -> dict[str, list[np.ndarray]]:
    """rows of ids, the two of a pair behind each other  ->  `input_ids` and `attention_mask`, (2, T) a pair."""
    columns: dict[str, list[np.ndarray]] = {"input_ids": [], "attention_mask": []}
    for a, b in zip(rows[::2], rows[1::2], strict=True):
        shown = np.arange(max(len(a), len(b))) < np.array([[len(a)], [len(b)]])  # (2, T)
        ids = np.full(shown.shape, pad)  # (2, T)
        ids[shown] = a + b
        columns["input_ids"].append(ids)
        columns["attention_mask"].append(shown.astype(np.int64))
    return columns


def pair_batch(
    encoder: "SentenceEncoder", pairs: Pairs, scores: Sequence[float] | None = None
) -> dict[str, np.ndarray]:
    """Return all pairs as one batch."""
    examples = Columns(pair_columns(encoder, pairs, scores))
    collate = DataCollatorWithPadding(pad_token_id=encoder.model.config.pad_token_id or 0)
    return collate([examples[i] for i in range(len(examples))])


def correlations(prediction: EvalPrediction) -> dict[str, float]:
    """Do the cosines rise and fall with the scores?"""
    cosines, scores = prediction
    return {"pearson": pearson(scores, cosines), "spearman": spearman(scores, cosines)}


def _scored(validation_data: Scored) -> Scored:
    if len(validation_data) != 2 or len(validation_data[0]) != len(validation_data[1]):
        raise DataError("validation_data of pairs with scores must be (pairs, scores), as many of one as of the other")
    return validation_data
