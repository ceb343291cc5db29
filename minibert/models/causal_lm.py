"""The head of a causal language model: logits, the loss, and writing on token by token."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from minibert.blocks.causal_loss import CausalLMCache, causal_lm_loss, causal_lm_loss_backward, next_tokens
from minibert.blocks.past import KeyValueCache
from minibert.errors import DataError
from minibert.generation import generate, stream
from minibert.models.base import Losses
from minibert.models.decoder import DecoderModel, mask_positions
from minibert.models.gpt_names import PREFIX
from minibert.models.inputs import check_ids, check_labels, check_mask
from minibert.models.outputs import CausalLMOutput
from minibert.ops import IGNORE_INDEX, cross_entropy, linear
from minibert.tree import Tree


class LossCache(NamedTuple):
    body: Any
    loss: CausalLMCache


class CausalLM(DecoderModel):
    """A decoder whose last hidden state at t gives the logits of token t + 1, by the table of token vectors."""

    prefix = PREFIX
    generate, stream = generate, stream  # methods

    def __call__(
        self,
        input_ids: ArrayLike,
        attention_mask: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        position_ids: ArrayLike | None = None,
        past_key_values: KeyValueCache | None = None,
        use_cache: bool = False,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> CausalLMOutput:
        """Return logits (B, T, V) and, with labels, the loss, without dropout.

        Parameters
        ----------
        labels : (B, T), optional
            `input_ids`, with -100 at tokens that are no targets, as padding. The model shifts them:
            see `minibert.blocks.causal_loss`. In texts padded on the left the first token should be -100
            too, for nothing stands before it.
        input_ids, attention_mask, position_ids, past_key_values, use_cache, output_hidden_states, output_attentions
            As for the model without a head.
        """
        past = self.new_past(len(input_ids)) if use_cache and past_key_values is None else past_key_values
        inputs = self.check(input_ids, attention_mask, position_ids, past)
        hidden, more = self._read(inputs, past, use_cache, output_hidden_states, output_attentions)
        logits = self._logits(hidden)
        loss = None
        if labels is not None:
            targets = next_tokens(self._check_labels(labels, inputs.input_ids.shape))
            loss = float(cross_entropy(logits, targets)[0])
        return CausalLMOutput(loss, logits, **more)

    def decode(
        self, input_ids: ArrayLike, past: KeyValueCache | None = None, attention_mask: ArrayLike | None = None
    ) -> tuple[np.ndarray, KeyValueCache]:
        """Read tokens behind what was read before, and return the logits of the next one.

        Parameters
        ----------
        input_ids : (B, T) integers
            First a whole prompt, then usually one new token, T = 1. Pad prompts of different lengths on the left.
        past : KeyValueCache, optional
            What the call before returned; it is written in place. By default a new one, of n_positions.
        attention_mask : (B, S), optional
            1 where there is a token, 0 where there is padding, of past and new tokens together. Positions count
            tokens only, so padding changes nothing.

        Returns
        -------
        logits : (B, V)
        past : KeyValueCache
            For the next call.
        """
        B, T = check_ids("input_ids", input_ids, self.config.vocab_size).shape
        past = self.new_past(B) if past is None else past
        positions = None
        if attention_mask is not None:
            mask = check_mask(attention_mask, (B, past.length + T))
            positions = mask_positions(mask)[:, past.length :]  # (B, T)
        inputs = self.check(input_ids, attention_mask, positions, past)
        hidden, more = self._read(inputs, past, True, False, False)
        return self._logits(hidden[:, -1]), more["past_key_values"]

    def forward_loss(self, batch: dict[str, Any], key: int | None, counts: dict[str, int]) -> tuple[Losses, LossCache]:
        """Return the loss "clm" of a batch with labels; logits only at positions that have a target."""
        batch = dict(batch)
        labels = batch.pop("labels", None)
        if labels is None:
            raise DataError(f"{type(self).__name__} needs labels for its loss: usually the input_ids themselves")
        inputs = self.check(**batch)
        labels = self._check_labels(labels, inputs.input_ids.shape)
        hidden, cache = self.body(inputs, self.params, self.config, key)
        table = self.params["embeddings"]["token"]
        part, loss_cache = causal_lm_loss(hidden[-1], labels, table, counts.get("clm"))
        return Losses(part.loss, {"clm": part}), LossCache(cache, loss_cache)

    def backward(self, cache: LossCache) -> Tree:
        """Return the gradients of the loss. At the token table those of the decoder and of the look-up add up."""
        dhidden, dtable = causal_lm_loss_backward(1.0, cache.loss)  # (B, T, D), (V, D)
        return self.body_backward(dhidden, cache.body, dtable)

    def count_targets(self, batch: dict[str, Any]) -> dict[str, int]:
        """Return how many targets the loss has in a batch: the first token of a text is none."""
        return {"clm": int((np.asarray(batch["labels"])[:, 1:] != IGNORE_INDEX).sum())}

    def read_out(self, hidden: np.ndarray) -> np.ndarray:
        """hidden (B, T, D), of any layer but the last  ->  logits (B, T, V): what the head makes of it."""
        return self._logits(hidden)

    def _check_labels(self, labels: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
        return check_labels("labels", labels, self.config.vocab_size, shape)

    def _logits(self, hidden: np.ndarray) -> np.ndarray:
        return linear(hidden, self.params["embeddings"]["token"].T)[0]  # (..., V)
