"""GPT-2 with a decision about the whole input, made at its last token."""

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from minibert.blocks.classifiers import LastTokenCache, last_token_classifier, last_token_classifier_backward
from minibert.blocks.decoder import DecoderLayerCache
from minibert.errors import DataError
from minibert.models.decoder import DecoderInput
from minibert.models.gpt2 import GPT2Cache, GPT2Model
from minibert.models.gpt_names import GPT2, PREFIX
from minibert.models.initialise import embedding_table, normal
from minibert.models.names import Loaded, NameTable
from minibert.models.outputs import HeadOutput
from minibert.models.safetensors_file import Stored
from minibert.models.task_model import SequenceTask
from minibert.tree import Tree

SCORE = "score.weight"  # (C, D): a vector for each class, as the token table has one for each token


class GPT2ForSequenceClassification(SequenceTask, GPT2Model):
    """GPT-2 with a decision about the whole input: see `SequenceTask`.

    It is made at the last token that is not `config.pad_token_id`, without which only one text at a time
    can be read.
    """

    prefix = PREFIX
    head_names: ClassVar[NameTable] = {"task_head.classes": (SCORE,)}
    outside: ClassVar[dict[str, str]] = {**GPT2, "task_head.classes": SCORE}

    def init_head(self, rng: np.random.Generator | None) -> Tree:
        """classes (C, D)."""
        c = self.config
        return {"classes": embedding_table(c.num_labels, c.n_embd, c.initializer_range, rng, self.dtype, normal)}

    def layer_caches(self, cache: GPT2Cache) -> list[DecoderLayerCache]:
        """Return the cache of each layer."""
        return cache.layers

    def head(self, hidden: np.ndarray, inputs: DecoderInput, key: int | None) -> tuple[np.ndarray, LastTokenCache]:
        """Return logits (B, C)."""
        return last_token_classifier(hidden, self.last_tokens(inputs.input_ids), self.params["task_head"])

    def head_backward(self, dlogits: np.ndarray, cache: LastTokenCache) -> tuple[np.ndarray, Tree]:
        """Return dhidden (B, T, D), gradients of the head."""
        dhidden, dhead = last_token_classifier_backward(dlogits, cache)
        return dhidden, {"task_head": dhead}

    def last_tokens(self, ids: np.ndarray) -> np.ndarray:
        """ids (B, T)  ->  (B,) the place of the last one that is not padding; 0 if all are."""
        (B, T), pad = ids.shape, self.config.pad_token_id
        if pad is None and B > 1:
            raise DataError(f"a batch of {B} texts needs config.pad_token_id, which tells where each one ends: set it")
        return ((ids != pad) * np.arange(T)).argmax(1) if pad is not None else np.array([T - 1])

    def __call__(
        self,
        input_ids: ArrayLike,
        attention_mask: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        position_ids: ArrayLike | None = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> HeadOutput:
        """Return logits (B, C) and, with labels (see `SequenceTask`), the loss, without dropout.

        The other arguments are those of `GPT2Model`.
        """
        batch = {"input_ids": input_ids, "attention_mask": attention_mask, "position_ids": position_ids}
        loss, logits, more = self.predict(batch, {"labels": labels}, output_hidden_states, output_attentions)
        return HeadOutput(loss, logits, **more)

    def name_table(self) -> NameTable:
        """Return the checkpoint's names of our parameters."""
        return {**super().name_table(), **self.head_names}

    def find(self, tensors: dict[str, Stored]) -> Loaded:
        """Find our parameters among a checkpoint's tensors, whichever class wrote it."""
        self.check_labels_of(tensors)
        return super().find(tensors)
