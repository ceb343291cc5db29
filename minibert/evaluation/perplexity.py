"""Perplexity: among how many equally likely tokens does the model seem to choose?"""

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minibert.dispatch import no_grad
from minibert.errors import ConfigError, DataError
from minibert.models.base import Model
from minibert.ops import IGNORE_INDEX

LARGEST_EXPONENT = 700.0  # exp(710) overflows


class Perplexity(NamedTuple):
    """The perplexity, and what it is made of."""

    perplexity: float
    loss: float  # nats per token
    losses: np.ndarray  # (N,) the sum over the tokens of each text; a bootstrap resamples these two together
    counts: np.ndarray  # (N,) how many tokens of each text were predicted


def perplexity(model: Model, texts: Iterable[Sequence[int]]) -> Perplexity:
    """PPL = exp(-1/n sum over texts and t >= 1 of log p(x_t | x_0 .. x_(t-1))),  n the number of terms.

    The first token of a text is given, not predicted.

    Parameters
    ----------
    model : a causal language model
    texts : token ids of each text
        As long as the model's positions at most.

    Raises
    ------
    DataError
        No text has two tokens, or one does not suit the model (too long, an id out of range).
    """
    losses, counts = [], []
    for text in texts:
        ids = np.asarray(text, np.int64)[None]  # (1, T)
        count = ids.shape[1] - 1
        losses.append(_loss_sum(model, {"input_ids": ids, "labels": ids}) if count > 0 else 0.0)
        counts.append(max(count, 0))
    return _perplexity(losses, counts)


def pseudo_perplexity(
    model: Model,
    texts: Iterable[Sequence[int]],
    mask_id: int,
    special_ids: Collection[int],
    batch_size: int = 32,
) -> Perplexity:
    """PPPL = exp(-1/n sum over texts and t of log p(x_t | x without position t)),  n the number of terms.

    For masked language models (Salazar et al. 2020, arXiv:1910.14659): a text of T tokens is read T times, each time
    with one position behind the mask. It is no perplexity in the strict sense, for the terms are no factors of the
    probability of the text: compare it among masked models with the same tokenizer, not with causal ones.

    Parameters
    ----------
    model : a masked language model
    texts : token ids of each text, with its special tokens ([CLS], [SEP])
    mask_id : int
        For example `tokenizer.mask_token_id`.
    special_ids : collection of int
        For example `tokenizer.all_special_ids`: positions that are neither masked nor counted.
    batch_size : int
        How many copies of a text are read at a time.

    Raises
    ------
    ConfigError
        `batch_size` is less than 1.
    DataError
        No text has an ordinary token, or one does not suit the model (too long, an id out of range).
    """
    if batch_size < 1:
        raise ConfigError(f"batch_size must be at least 1, but is {batch_size}")
    losses, counts = [], []
    for text in texts:
        ids = np.asarray(text, np.int64)  # (T,)
        places = np.flatnonzero(~np.isin(ids, list(special_ids)))  # (n,)
        chunks = [places[i : i + batch_size] for i in range(0, len(places), batch_size)]
        losses.append(sum(_loss_sum(model, one_masked(ids, chunk, mask_id)) for chunk in chunks))
        counts.append(len(places))
    return _perplexity(losses, counts)


def one_masked(ids: np.ndarray, places: np.ndarray, mask_id: int) -> dict[str, np.ndarray]:
    """Return a batch of copies of ids (T,), in copy i the mask at places[i] (n,), which is also its only target."""
    rows = np.arange(len(places))
    masked = np.tile(ids, (len(places), 1))  # (n, T)
    labels = np.full_like(masked, IGNORE_INDEX)
    labels[rows, places] = ids[places]
    masked[rows, places] = mask_id
    return {"input_ids": masked, "labels": labels}


def _loss_sum(model: Model, batch: dict[str, Any]) -> float:
    with no_grad():
        losses, _ = model.forward_loss(batch, None, {})
    return float(sum(part.loss * part.count for part in losses.parts.values()))


def _perplexity(losses: list[float], counts: list[int]) -> Perplexity:
    if not sum(counts):
        raise DataError("there is no token to predict: give texts with at least two tokens, one of them ordinary")
    loss = sum(losses) / sum(counts)
    return Perplexity(math.exp(min(loss, LARGEST_EXPONENT)), loss, np.array(losses), np.array(counts))
