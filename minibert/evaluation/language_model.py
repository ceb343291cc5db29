"""Perplexity of a language model on running text, with its bootstrap interval."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from minibert.errors import ConfigError
from minibert.evaluation.bootstrap import Interval, bootstrap
from minibert.evaluation.perplexity import LARGEST_EXPONENT, perplexity, pseudo_perplexity

if TYPE_CHECKING:
    from minibert.models.base import Model
    from minibert.tokenizers.base import PretrainedTokenizer


class Measured(NamedTuple):
    """What was measured, on how much."""

    metrics: dict[str, Interval]
    texts: int
    tokens: int  # that were predicted


def chunks(tokenizer: PretrainedTokenizer, documents: Iterable[str], max_length: int, at_most: int) -> list[list[int]]:
    """Return documents as token ids, in pieces of at most `max_length`, special tokens included; nothing is lost.

    `at_most` so many pieces, the first; 0: all.
    """

    def pieces() -> Iterable[list[int]]:
        for document in documents:
            if document.strip():
                rows = tokenizer(document, truncation=True, max_length=max_length, return_overflowing_tokens=True)
                yield from rows["input_ids"]

    return list(islice(pieces(), at_most or None))


def language_model_metrics(model: Model, tokenizer: PretrainedTokenizer, texts: list[list[int]]) -> Measured:
    """Measure the perplexity of a causal model, or the pseudo-perplexity of a masked one, and its loss in nats.

    Raises
    ------
    ConfigError
        The model needs a token to mask with, and the tokenizer has none.
    DataError
        There are not two texts, or nothing to predict.
    """
    if hasattr(model, "generate"):
        name, found = "perplexity", perplexity(model, texts)
    else:
        if tokenizer.mask_token_id is None:
            raise ConfigError("the tokenizer has no mask token, which a masked model needs")
        name = "pseudo_perplexity"
        found = pseudo_perplexity(model, texts, tokenizer.mask_token_id, tokenizer.all_special_ids)
    marks = np.stack([found.losses, found.counts], -1)  # (N, 2)
    loss = bootstrap(mean_loss, marks, vectorized=True)
    ends = (math.exp(min(value, LARGEST_EXPONENT)) for value in loss[:3])  # exp is monotone: so are the ends
    return Measured({name: Interval(*ends, loss.confidence), "loss": loss}, len(texts), int(found.counts.sum()))


def mean_loss(marks: np.ndarray) -> np.ndarray:
    """marks (R, N, 2), of each text the summed loss and the number of tokens  ->  (R,) nats per token."""
    losses, counts = np.moveaxis(marks.sum(1), -1, 0)  # (R,)
    return losses / np.maximum(counts, 1)
