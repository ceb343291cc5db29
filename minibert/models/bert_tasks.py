"""BERT with the heads it is fine-tuned with (Devlin et al. 2018, section 4 and figure 4)."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from minibert.blocks.classifiers import (
    ClassifierCache,
    PooledClassifierCache,
    classifier,
    classifier_backward,
    pooled_classifier,
    pooled_classifier_backward,
)
from minibert.blocks.encoder import EncoderLayerCache
from minibert.blocks.task_losses import SpanLossCache, span_loss, span_loss_backward
from minibert.errors import ConfigError, DataError
from minibert.models.base import Losses
from minibert.models.bert import BertCache, BertInput, BertModel
from minibert.models.bert_names import canonical, name_table
from minibert.models.initialise import linear_params
from minibert.models.inputs import check_classes, check_ids, check_labels
from minibert.models.names import Loaded, NameTable, from_hf, renamed
from minibert.models.outputs import HeadOutput, SpanOutput
from minibert.models.safetensors_file import Stored
from minibert.models.task_model import Scores, SequenceTask, TaskModel
from minibert.ops import IGNORE_INDEX
from minibert.tree import Tree


class BertBody(BertModel):
    """BERT's layers as the body of a `TaskModel`, and the names in its checkpoints."""

    prefix = "bert."

    def layer_caches(self, cache: BertCache) -> list[EncoderLayerCache]:
        """Return the cache of each layer."""
        return cache.encoder

    def body_names(self) -> NameTable:
        """Return the checkpoint's names of the body's parameters."""
        return name_table(self.config.num_hidden_layers)

    def name_table(self) -> NameTable:
        """Return the checkpoint's names of our parameters."""
        return {**self.body_names(), **self.head_names}

    def find(self, tensors: dict[str, Stored]) -> Loaded:
        """Find our parameters among a checkpoint's tensors, whichever class or release wrote it."""
        self.check_labels_of(tensors)
        tensors = renamed(tensors, lambda name: canonical(name, self.prefix))
        return from_hf(tensors, self.name_table(), self.params, tied=self.tied)


class BertTask(TaskModel, BertBody):
    """What the tasks of BERT share: a linear layer over C classes behind dropout."""

    parts = ()
    head_names: ClassVar[NameTable] = {
        "task_head.weight": ("classifier.weight",),
        "task_head.bias": ("classifier.bias",),
    }

    @property
    def n_classes(self) -> int:
        """C, the number of scores that the head gives."""
        return self.config.num_labels

    @property
    def head_dropout(self) -> float:
        """The rate of dropout before the head."""
        c = self.config
        return c.hidden_dropout_prob if c.classifier_dropout is None else c.classifier_dropout

    def init_head(self, rng: np.random.Generator | None) -> Tree:
        """weight (D, C), bias (C,)."""
        c = self.config
        return linear_params(c.hidden_size, self.n_classes, c.initializer_range, rng, self.dtype, self.draw)

    def __call__(
        self,
        input_ids: ArrayLike,
        attention_mask: ArrayLike | None = None,
        token_type_ids: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> HeadOutput:
        """Return logits and, with labels, the loss, without dropout.

        Parameters
        ----------
        input_ids, attention_mask, token_type_ids : (B, T)
            As for `BertModel`; for multiple choice (B, C, T).
        labels : optional
            Sequence classification: (B,) of 0..C-1, or (B, C) of 0 and 1, or numbers (see `SequenceTask`). Token
            classification: (B, T) of 0..C-1, -100 at tokens that are no targets. Multiple choice: (B,) of 0..C-1.
        output_hidden_states, output_attentions : bool
            As for `BertModel`.

        Returns
        -------
        HeadOutput
            logits (B, C), for token classification (B, T, C).
        """
        batch = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
        loss, logits, more = self.predict(batch, {"labels": labels}, output_hidden_states, output_attentions)
        return HeadOutput(loss, logits, **more)


class PooledTask(BertTask):
    """A head on the pooled vector of the first token."""

    parts = ("pooler",)

    def head(self, hidden: np.ndarray, inputs: BertInput, key: int | None) -> tuple[np.ndarray, PooledClassifierCache]:
        """Return logits (B, C)."""
        return pooled_classifier(hidden, self.params["pooler"], self.params["task_head"], self.head_dropout, key)

    def head_backward(self, dlogits: np.ndarray, cache: PooledClassifierCache) -> tuple[np.ndarray, Tree]:
        """Return dhidden (B, T, D), gradients of pooler and head."""
        dhidden, dpooler, dhead = pooled_classifier_backward(dlogits, cache)
        return dhidden, {"pooler": dpooler, "task_head": dhead}


class BertForSequenceClassification(SequenceTask, PooledTask):
    """BERT with a decision about the whole input: see `SequenceTask`."""


class BertForTokenClassification(BertTask):
    """BERT with a label for each token."""

    part = "token"

    def check_targets(self, labels: Sequence[ArrayLike]) -> None:
        """Raise `DataError` if a label is out of range, or all are of one class."""
        for i, row in enumerate(labels):
            check_labels(f"labels of example {i}: labels", row, self.config.num_labels, np.shape(row))
        check_classes(np.concatenate([np.ravel(row) for row in labels]))

    def head(self, hidden: np.ndarray, inputs: BertInput, key: int | None) -> tuple[np.ndarray, ClassifierCache]:
        """Return logits (B, T, C)."""
        return classifier(hidden, self.params["task_head"], self.head_dropout, key)

    def head_backward(self, dlogits: np.ndarray, cache: ClassifierCache) -> tuple[np.ndarray, Tree]:
        """Return dhidden (B, T, D), gradients of the head."""
        dhidden, dhead = classifier_backward(dlogits, cache)
        return dhidden, {"task_head": dhead}


class BertForMultipleChoice(PooledTask):
    """BERT that scores each of C inputs with one number; the softmax is over the C choices."""

    part = "choice"
    n_classes = 1

    def scores(self, batch: dict[str, Any], key: int | None) -> Scores:
        """Read the choices, (B, C, T), as B C inputs  ->  logits (B, C)."""
        shape = np.shape(batch["input_ids"])
        if len(shape) != 3:
            raise DataError(f"input_ids must be (batch, choices, length); got shape {shape}")
        for name, value in batch.items():
            if np.shape(value) != shape:
                raise DataError(f"{name} must have shape {shape}; got {np.shape(value)}")
        flat = {name: np.reshape(value, (-1, shape[-1])) for name, value in batch.items()}  # (B C, T)
        scores = super().scores(flat, key)
        return scores._replace(logits=scores.logits.reshape(shape[:2]))  # (B, C)

    def head_backward(self, dlogits: np.ndarray, cache: PooledClassifierCache) -> tuple[np.ndarray, Tree]:
        """Return dhidden (B C, T, D), gradients of pooler and head."""
        return super().head_backward(dlogits.reshape(-1, 1), cache)  # (B C, 1)


class BertForQuestionAnswering(BertForTokenClassification):
    """BERT that finds an answer in the text: for each token, a score as its start and one as its end."""

    labels = ("start_positions", "end_positions")
    head_names: ClassVar[NameTable] = {
        "task_head.weight": ("qa_outputs.weight",),
        "task_head.bias": ("qa_outputs.bias",),
    }
    head_dropout = 0.0

    @property
    def n_classes(self) -> int:
        """Two: start and end."""
        if self.config.num_labels != 2:
            raise ConfigError(
                f"num_labels is {self.config.num_labels}, but answers have 2, start and end: leave it out"
            )
        return 2

    def __call__(
        self,
        input_ids: ArrayLike,
        attention_mask: ArrayLike | None = None,
        token_type_ids: ArrayLike | None = None,
        start_positions: ArrayLike | None = None,
        end_positions: ArrayLike | None = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> SpanOutput:
        """Return start_logits and end_logits (B, T) and, with positions, the loss, without dropout.

        Parameters
        ----------
        input_ids, attention_mask, token_type_ids, output_hidden_states, output_attentions
            As for `BertModel`.
        start_positions, end_positions : (B,), optional
            The first and the last token of the answer. Those of T and more, beyond the text, are no targets.
        """
        batch = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
        labels = {"start_positions": start_positions, "end_positions": end_positions}
        loss, logits, more = self.predict(batch, labels, output_hidden_states, output_attentions)
        return SpanOutput(loss, logits[..., 0], logits[..., 1], **more)

    def loss(
        self, logits: np.ndarray, labels: dict[str, ArrayLike], counts: dict[str, int], smoothing: float = 0.0
    ) -> tuple[Losses, SpanLossCache]:
        """Return half the sum of the losses "start" and "end" of logits (B, T, 2)."""
        if smoothing:
            raise DataError("label_smoothing is not for positions: leave it out")
        places = [_targets(name, labels[name], logits.shape[:2]) for name in self.labels]
        start, end, cache = span_loss(logits, *places, (counts.get("start"), counts.get("end")))
        return Losses((start.loss + end.loss) / 2, {"start": start, "end": end}), cache

    def loss_backward(self, cache: SpanLossCache) -> np.ndarray:
        """Return dlogits (B, T, 2)."""
        return span_loss_backward(1.0, cache)

    def count_targets(self, batch: dict[str, Any]) -> dict[str, int]:
        """Return how many targets each of the two losses has in a batch."""
        T = np.shape(batch["input_ids"])[1]
        starts, ends = (int((np.asarray(batch[name]) < T).sum()) for name in self.labels)
        return {"start": starts, "end": ends}


def _targets(name: str, positions: ArrayLike, shape: tuple[int, int]) -> np.ndarray:
    """Positions (B,)  ->  the same, -100 where they are beyond the T tokens."""
    B, T = shape
    places = np.asarray(positions)
    places = places.reshape(B) if places.shape == (B, 1) else places
    check_ids(name, places, np.iinfo(np.int64).max, (B,))
    return np.where(places < T, places, IGNORE_INDEX)
