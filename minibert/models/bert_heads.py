"""BERT with the heads it is pre-trained with: masked tokens, next sentences, or both."""

from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from minibert.blocks.heads import pooler, transform
from minibert.blocks.losses import (
    MaskedLMCache,
    NextSentenceCache,
    masked_lm_loss,
    masked_lm_loss_backward,
    next_sentence_loss,
    next_sentence_loss_backward,
)
from minibert.errors import DataError
from minibert.models.base import Losses
from minibert.models.bert import BertCache, BertModel, bert, bert_backward
from minibert.models.inputs import check_labels
from minibert.models.outputs import HeadOutput, PreTrainingOutput
from minibert.ops import IGNORE_INDEX, cross_entropy, linear
from minibert.tree import Tree, tree_map


class LossCache(NamedTuple):
    bert: BertCache
    shape: tuple[int, ...]  # (B, T, D) of the last hidden state
    mlm: MaskedLMCache | None  # None: no labels were given
    nsp: NextSentenceCache | None


class BertForPreTraining(BertModel):
    """BERT with both heads; its loss is L = L_MLM + L_NSP (see `minibert.blocks.losses`)."""

    parts = ("pooler", "mlm_head", "nsp_head")
    labels: ClassVar[tuple[str, ...]] = ("labels", "next_sentence_label")

    def __call__(
        self,
        input_ids: ArrayLike,
        attention_mask: ArrayLike | None = None,
        token_type_ids: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        next_sentence_label: ArrayLike | None = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> PreTrainingOutput:
        """Return prediction_logits (B, T, V), seq_relationship_logits (B, 2) and the loss, without dropout.

        Parameters
        ----------
        input_ids, attention_mask, token_type_ids : (B, T)
            As for `BertModel`.
        labels : (B, T), optional
            The true id at masked positions, -100 elsewhere.
        next_sentence_label : (B,), optional
            0: the second sentence follows the first; 1: it is a random one. `loss` is the sum
            of the losses whose labels were given.
        output_hidden_states, output_attentions : bool
            As for `BertModel`.
        """
        inputs = self.check(input_ids, attention_mask, token_type_ids)
        hidden, pictures = self._encode(inputs, output_hidden_states, output_attentions)
        words, order = self.read_out(hidden), self._nsp_logits(hidden)
        losses = [_loss(words, "labels", labels), _loss(order, "next_sentence_label", next_sentence_label)]
        given = [loss for loss in losses if loss is not None]
        return PreTrainingOutput(sum(given) if given else None, words, order, **pictures)

    def forward_loss(self, batch: dict[str, Any], key: int | None, counts: dict[str, int]) -> tuple[Losses, LossCache]:
        """Return the losses whose labels are in the batch; the vocabulary's logits at masked positions only."""
        batch = dict(batch)
        labels = {name: value for name in self.labels if (value := batch.pop(name, None)) is not None}
        if not labels:
            raise DataError(f"{type(self).__name__} needs labels for its loss: {' or '.join(self.labels)}")
        inputs = self.check(**batch)
        hidden, cache = bert(inputs, self.params, self.config, key)
        parts, caches = {}, {"mlm": None, "nsp": None}
        if "labels" in labels:
            parts["mlm"], caches["mlm"] = self._mlm_loss(hidden[-1], labels["labels"], counts.get("mlm"))
        if "next_sentence_label" in labels:
            parts["nsp"], caches["nsp"] = self._nsp_loss(hidden[-1], labels["next_sentence_label"], counts.get("nsp"))
        total = sum(part.loss for part in parts.values())
        return Losses(total, parts), LossCache(cache, hidden[-1].shape, **caches)

    def backward(self, cache: LossCache) -> Tree:
        """Return the gradients of the total loss. At the token table those of the decoder and of the look-up add up."""
        dhidden, dtable, heads = self._heads_backward(cache)  # (B, T, D), (V, D)
        return {**bert_backward(dhidden, cache.bert, dtable), **heads}

    def _heads_backward(self, cache: LossCache) -> tuple[np.ndarray, np.ndarray | None, Tree]:
        """Return dhidden (B, T, D), where the gradients of both losses add up, dtable (V, D), those of the heads."""
        dhidden, dtable = np.zeros(cache.shape, self.dtype), None  # (B, T, D)
        # A head whose labels were not given keeps a gradient of zeros.
        heads = tree_map(np.zeros_like, {part: self.params[part] for part in self.parts})
        if cache.mlm is not None:
            dmlm, dtable, heads["mlm_head"] = masked_lm_loss_backward(1.0, cache.mlm)  # (B, T, D), (V, D)
            dhidden += dmlm
        if cache.nsp is not None:
            dnsp, heads["pooler"], heads["nsp_head"] = next_sentence_loss_backward(1.0, cache.nsp)  # (B, T, D)
            dhidden += dnsp
        return dhidden, dtable, heads

    def count_targets(self, batch: dict[str, Any]) -> dict[str, int]:
        """Return how many targets each loss has in a batch."""
        names = {"labels": "mlm", "next_sentence_label": "nsp"}
        return {names[n]: int((np.asarray(batch[n]) != IGNORE_INDEX).sum()) for n in self.labels if n in batch}

    def _mlm_loss(self, hidden: np.ndarray, labels: ArrayLike, count: int | None) -> tuple:
        c, p = self.config, self.params
        labels = check_labels("labels", labels, c.vocab_size, hidden.shape[:2])
        table = p["embeddings"]["token"]
        return masked_lm_loss(hidden, labels, table, p["mlm_head"], c.head_act, c.layer_norm_eps, count)

    def _nsp_loss(self, hidden: np.ndarray, labels: ArrayLike, count: int | None) -> tuple:
        labels = check_labels("next_sentence_label", labels, 2, hidden.shape[:1])
        return next_sentence_loss(hidden, labels, self.params["pooler"], self.params["nsp_head"], count)

    def read_out(self, hidden: np.ndarray) -> np.ndarray:
        """hidden (B, T, D), of any layer  ->  logits (B, T, V): what the masked-token head makes of it."""
        head = self.params["mlm_head"]
        t, _ = transform(hidden, head, self.config.head_act, self.config.layer_norm_eps)  # (B, T, D)
        return linear(t, self.params["embeddings"]["token"].T, head["bias"])[0]  # (B, T, V)

    def _nsp_logits(self, hidden: np.ndarray) -> np.ndarray:
        pooled, _ = pooler(hidden[:, 0], self.params["pooler"])  # (B, D)
        return linear(pooled, **self.params["nsp_head"])[0]  # (B, 2)


class BertForMaskedLM(BertForPreTraining):
    """BERT with the masked-token head alone; its loss is L_MLM."""

    parts = ("mlm_head",)
    labels = ("labels",)

    def __call__(
        self,
        input_ids: ArrayLike,
        attention_mask: ArrayLike | None = None,
        token_type_ids: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> HeadOutput:
        """Return logits (B, T, V) and, with `labels` (B, T), the loss: see `BertForPreTraining`."""
        inputs = self.check(input_ids, attention_mask, token_type_ids)
        hidden, pictures = self._encode(inputs, output_hidden_states, output_attentions)
        logits = self.read_out(hidden)
        return HeadOutput(_loss(logits, "labels", labels), logits, **pictures)


class BertForNextSentencePrediction(BertForPreTraining):
    """BERT with the next-sentence head alone; its loss is L_NSP."""

    parts = ("pooler", "nsp_head")
    labels = ("next_sentence_label",)
    read_out = None  # there is no masked-token head

    def __call__(
        self,
        input_ids: ArrayLike,
        attention_mask: ArrayLike | None = None,
        token_type_ids: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> HeadOutput:
        """Return logits (B, 2) and, with `labels` (B,) of 0 (is next) and 1 (is random), the loss.

        For `loss_and_grads` the labels are called `next_sentence_label`, as in a batch for both losses.
        """
        inputs = self.check(input_ids, attention_mask, token_type_ids)
        hidden, pictures = self._encode(inputs, output_hidden_states, output_attentions)
        logits = self._nsp_logits(hidden)
        return HeadOutput(_loss(logits, "labels", labels), logits, **pictures)


def _loss(logits: np.ndarray, name: str, labels: ArrayLike | None) -> float | None:
    if labels is None:
        return None
    labels = check_labels(name, labels, logits.shape[-1], logits.shape[:-1])
    return float(cross_entropy(logits, labels)[0])
