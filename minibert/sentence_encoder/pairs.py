"""A sentence encoder that learns from pairs, as the training loop sees it.

A batch holds `input_ids` and `attention_mask` (B, 2, T): two texts a pair, side by side like the choices of multiple
choice. Both pass through the same encoder, so the gradients of its parameters come out of one backward pass.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from minibert.blocks.cosines import pair_cosines
from minibert.blocks.losses import LossPart
from minibert.blocks.pair_losses import (
    contrastive_loss,
    contrastive_loss_backward,
    cosine_regression_loss,
    cosine_regression_loss_backward,
)
from minibert.blocks.text_vectors import text_vectors, text_vectors_backward
from minibert.errors import ConfigError, DataError
from minibert.models.base import Losses, Model
from minibert.models.inputs import check_mask
from minibert.models.names import NameTable
from minibert.models.outputs import ModelOutput
from minibert.tree import Tree

if TYPE_CHECKING:
    from minibert.sentence_encoder.encoder import SentenceEncoder

PART = "pairs"  # the name of the loss


@dataclass(eq=False)
class PairOutput(ModelOutput):
    """loss (scalar), logits (B,): the cosine of each pair."""

    loss: float | None
    logits: np.ndarray


class PairsCache(NamedTuple):
    shape: tuple[int, int]  # (B, D)
    body: Any
    vectors: tuple
    loss: Any


class SentencePairs(Model):
    """What the two losses share. `params` are those of the encoder's model; its pooler, which is not used, gets no
    gradient and keeps its values.

    Parameters
    ----------
    encoder : SentenceEncoder
    """

    labels: ClassVar[tuple[str, ...]] = ()  # what a batch must hold for the loss, beside the texts

    def __init__(self, encoder: "SentenceEncoder") -> None:
        if "prompt" in encoder.model.params["embeddings"]:
            raise ConfigError("a sentence encoder does not take virtual tokens: use LoRA, or train without an adapter")
        self.encoder = encoder
        self.config, self.dtype = encoder.model.config, encoder.model.dtype

    # What a loss defines --------------------------------------------------------------------

    def loss(self, u: np.ndarray, v: np.ndarray, labels: ArrayLike | None, count: int | None) -> tuple[LossPart, Any]:
        """Return the loss of the vectors u, v (B, D) of a batch of pairs, and the cache for `loss_backward`."""
        raise NotImplementedError

    def loss_backward(self, cache: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return du, dv (B, D)."""
        raise NotImplementedError

    # What it gets ---------------------------------------------------------------------------

    @property
    def params(self) -> Tree:
        """The parameters of the encoder's model."""
        return self.encoder.model.params

    @params.setter
    def params(self, params: Tree) -> None:
        self.encoder.model.params = params

    def name_table(self) -> NameTable:
        """Return the checkpoint's names of our parameters."""
        return self.encoder.model.name_table()

    def __call__(
        self, input_ids: ArrayLike, attention_mask: ArrayLike | None = None, labels: ArrayLike | None = None
    ) -> PairOutput:
        """Return the cosines of pairs and the loss, without dropout.

        Parameters
        ----------
        input_ids, attention_mask : (B, 2, T)
        labels : (B,), optional
            The scores, where the loss needs them.
        """
        u, v, _, _ = self.vectors(input_ids, attention_mask, None)  # (B, D) each
        known = not self.labels or labels is not None
        loss = self.loss(u, v, labels, None)[0].loss if known else None
        return PairOutput(loss, pair_cosines(u, v)[0])

    def forward_loss(self, batch: dict[str, Any], key: int | None, counts: dict[str, int]) -> tuple[Losses, PairsCache]:
        """Return the loss of a batch, and the cache for `backward`."""
        odd = batch.keys() - {"input_ids", "attention_mask", *self.labels}
        if odd:
            raise DataError(f"pairs are not learned with {', '.join(sorted(odd))}: leave it out")
        if not batch.keys() >= set(self.labels):
            raise DataError("pairs without scores have no such loss: give labels, one score a pair")
        u, v, body, vectors = self.vectors(batch["input_ids"], batch.get("attention_mask"), key)  # (B, D) each
        part, loss = self.loss(u, v, batch.get("labels"), counts.get(PART))
        return Losses(part.loss, {PART: part}), PairsCache(u.shape, body, vectors, loss)

    def backward(self, cache: PairsCache) -> Tree:
        """Return the gradients of the loss."""
        du, dv = self.loss_backward(cache.loss)  # (B, D) each
        dvectors = np.stack([du, dv], axis=1).reshape(-1, cache.shape[1])  # (2B, D)
        return self.encoder.model.body_backward(text_vectors_backward(dvectors, cache.vectors), cache.body)

    def count_targets(self, batch: dict[str, Any]) -> dict[str, int]:
        """Return how many pairs a batch has."""
        return {PART: len(batch["input_ids"])}

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the encoder, as `SentenceEncoder.save_pretrained` does."""
        self.encoder.save_pretrained(folder)

    def vectors(
        self, input_ids: ArrayLike, attention_mask: ArrayLike | None, key: int | None
    ) -> tuple[np.ndarray, np.ndarray, Any, tuple]:
        """ids, mask (B, 2, T)  ->  vectors of the first and of the second texts (B, D), caches of body and pooling."""
        shape, model = np.shape(input_ids), self.encoder.model
        if len(shape) != 3 or shape[1] != 2:
            raise DataError(f"input_ids of pairs must be (batch, 2, length); got shape {shape}")
        mask = np.ones(shape, bool) if attention_mask is None else check_mask(attention_mask, shape)
        mask = mask.reshape(-1, shape[2])  # (2B, T)
        inputs = model.check(np.reshape(input_ids, (-1, shape[2])), mask)  # (2B, T)
        hidden, body = model.body(inputs, model.params, model.config, key)
        vectors, pooling = text_vectors(hidden[-1], mask, self.encoder.recipe.pooling)  # (2B, D)
        u, v = vectors.reshape(shape[0], 2, -1).swapaxes(0, 1)  # (B, D) each
        return u, v, body, pooling


class ScoredPairs(SentencePairs):
    """Learns how alike two texts are: see `cosine_regression_loss`."""

    labels = ("labels",)

    def loss(self, u: np.ndarray, v: np.ndarray, labels: ArrayLike | None, count: int | None) -> tuple[LossPart, Any]:
        """Return the loss with scores (B,) between -1 and 1."""
        return cosine_regression_loss(u, v, check_scores("labels", labels, len(u)), count)

    def loss_backward(self, cache: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return du, dv (B, D)."""
        return cosine_regression_loss_backward(1.0, cache)


class MatchingPairs(SentencePairs):
    """Learns to find the text that belongs to another among those of a batch: see `contrastive_loss`.

    Parameters
    ----------
    encoder : SentenceEncoder
    scale : float
        What cosines are multiplied with.
    """

    def __init__(self, encoder: "SentenceEncoder", scale: float = 20.0) -> None:
        super().__init__(encoder)
        if not 0 < scale < float("inf"):
            raise ConfigError(f"scale must be positive, but is {scale}")
        self.scale = scale

    def loss(self, u: np.ndarray, v: np.ndarray, labels: ArrayLike | None, count: int | None) -> tuple[LossPart, Any]:
        """Return the loss; the texts of the other pairs are the wrong ones."""
        return contrastive_loss(u, v, self.scale, count)

    def loss_backward(self, cache: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return du, dv (B, D)."""
        return contrastive_loss_backward(1.0, cache)


class PairVectors:
    """A model's vectors of pairs as an output: logits (B, 2, D).

    Parameters
    ----------
    model : SentencePairs
    """

    def __init__(self, model: SentencePairs) -> None:
        self.model = model

    def __call__(self, input_ids: ArrayLike, attention_mask: ArrayLike | None = None) -> dict[str, np.ndarray]:
        """ids, mask (B, 2, T)  ->  vectors, without dropout."""
        u, v, _, _ = self.model.vectors(input_ids, attention_mask, None)  # (B, D) each
        return {"logits": np.stack([u, v], axis=1)}  # (B, 2, D)


def check_scores(name: str, scores: ArrayLike, n: int) -> np.ndarray:
    """Return scores as an array (n,) of numbers that a cosine can be. Raises `DataError`."""
    array = np.asarray(scores)
    if array.shape != (n,) or array.dtype.kind not in "biuf":
        raise DataError(f"{name} must be {n} numbers, one a pair; got {array.dtype} of shape {array.shape}")
    wrong = ~(np.abs(array.astype(float)) <= 1)
    if wrong.any():
        i = int(wrong.argmax())
        raise DataError(
            f"{name}[{i}] is {array[i]}, but a cosine is within -1..1: divide scores by the highest possible"
        )
    return array
