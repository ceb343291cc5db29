"""What GPT and GPT-2 share: initial parameters, checked input, calls that may go on from a `KeyValueCache`.

A model of this family is a pair of pure functions, `body` and `body_backward`, that wire its layers.
"""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from minibert.blocks.past import KeyValueCache
from minibert.blocks.token_vectors import known_ids
from minibert.errors import DataError
from minibert.models.base import Model
from minibert.models.gpt_names import TWIN, name_table, without_prefix
from minibert.models.initialise import embedding_table, linear_params, norm_params, normal
from minibert.models.inputs import check_ids, visible_keys
from minibert.models.names import Loaded, NameTable, from_hf, renamed
from minibert.models.outputs import DecoderOutput
from minibert.models.safetensors_file import Stored
from minibert.tree import Tree


class DecoderInput(NamedTuple):
    """A checked batch."""

    input_ids: np.ndarray  # (B, T)
    position_ids: np.ndarray  # (T,) or (B, T)
    bias: np.ndarray | None  # (B, 1, 1, S) boolean: which keys are tokens, not padding


def mask_positions(mask: np.ndarray) -> np.ndarray:
    """mask (B, S) of 1 (token) and 0 (padding)  ->  (B, S): where each token stands among tokens; 0 in padding."""
    tokens = np.asarray(mask, bool)
    return np.where(tokens, np.cumsum(tokens, axis=1) - 1, 0)


class DecoderModel(Model):
    """Token and position vectors, causal layers: the last hidden state."""

    transposed = False
    outside: ClassVar[dict[str, str]]  # the checkpoint's names of what is not in a layer
    prefix: ClassVar[str] = ""  # of the checkpoint's names
    body: ClassVar[Callable]  # (inputs, params, config, key, past) -> hidden states, cache
    body_backward: ClassVar[Callable]  # (dhidden, cache, dtoken) -> gradients

    def init_params(self, rng: np.random.Generator | None) -> Tree:
        """Return random initial parameters: see `minibert.models.initialise`."""
        c, make = self.config, (rng, self.dtype, normal)
        D, F, std, added = c.n_embd, c.inner_width, c.initializer_range, c.residual_std
        layers = {
            str(i): {
                "attention_norm": norm_params(D, self.dtype),
                "attention": {"qkv": linear_params(D, 3 * D, std, *make), "output": linear_params(D, D, added, *make)},
                "feed_forward_norm": norm_params(D, self.dtype),
                "feed_forward": {"up": linear_params(D, F, std, *make), "down": linear_params(F, D, added, *make)},
            }
            for i in range(c.n_layer)
        }
        tables = {
            "token": embedding_table(c.vocab_size, D, std, *make),
            "position": embedding_table(c.n_positions, D, std, *make),
        }
        return {"embeddings": tables, "decoder": {"layers": layers}}

    def check(
        self,
        input_ids: ArrayLike,
        attention_mask: ArrayLike | None = None,
        position_ids: ArrayLike | None = None,
        past: KeyValueCache | None = None,
    ) -> DecoderInput:
        """Return the checked batch: ids, positions (default 0, 1, ... from the past on), mask. Raises `DataError`."""
        ids = check_ids("input_ids", input_ids, known_ids(self.params["embeddings"]))
        B, T = ids.shape
        begin, room = 0, self.config.n_positions
        if past is not None:
            _check_past(past, B)
            begin, room = past.length, min(room, past.arrays.shape[4])
        if begin + T > room:
            raise DataError(
                f"{begin} + {T} tokens exceed the {room} positions of the model and its past: cut the input"
            )
        if position_ids is None:
            positions = np.arange(begin, begin + T)  # (T,)
        else:
            positions = check_ids("position_ids", position_ids, self.config.n_positions, ids.shape)
        return DecoderInput(ids, positions, visible_keys(attention_mask, (B, begin + T)))

    def new_past(self, batch_size: int, max_length: int | None = None) -> KeyValueCache:
        """Return an empty `KeyValueCache` for that many sequences of at most `max_length` (n_positions) tokens."""
        c = self.config
        positions = c.n_positions if max_length is None else max_length
        return KeyValueCache.empty(c.n_layer, batch_size, c.n_head, positions, c.n_embd // c.n_head, self.dtype)

    def __call__(
        self,
        input_ids: ArrayLike,
        attention_mask: ArrayLike | None = None,
        position_ids: ArrayLike | None = None,
        past_key_values: KeyValueCache | None = None,
        use_cache: bool = False,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> DecoderOutput:
        """Return last_hidden_state (B, T, D), without dropout.

        Parameters
        ----------
        input_ids : (B, T) integers
        attention_mask : (B, S), optional
            1 where there is a token, 0 where there is padding. S = T, or past and new tokens together.
        position_ids : (B, T), optional
            By default 0, 1, ..., from the past on; for texts padded on the left give `mask_positions(mask)`.
        past_key_values : KeyValueCache, optional
            Of what was read before; `input_ids` go on from there. It is written in place.
        use_cache : bool
            Also return `past_key_values`, which now hold the new tokens too.
        output_hidden_states, output_attentions : bool
            Also return the output of every layer (L + 1 arrays (B, T, D)), and the attention
            probabilities (L arrays (B, H, T, S)).
        """
        past = self.new_past(len(input_ids)) if use_cache and past_key_values is None else past_key_values
        inputs = self.check(input_ids, attention_mask, position_ids, past)
        hidden, more = self._read(inputs, past, use_cache, output_hidden_states, output_attentions)
        return DecoderOutput(hidden, **more)

    def _read(
        self, inputs: DecoderInput, past: KeyValueCache | None, use_cache: bool, states: bool, attentions: bool
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """The last hidden state (B, T, D), and what else an output holds."""
        hidden, cache = self.body(inputs, self.params, self.config, None, past)
        more: dict[str, Any] = {}
        if use_cache:
            more["past_key_values"] = past.longer(inputs.input_ids.shape[1])
        if states:
            more["hidden_states"] = tuple(hidden)
        if attentions:
            more["attentions"] = tuple(layer.attention.core.probs for layer in cache.layers)
        return hidden[-1], more

    def name_table(self) -> NameTable:
        """Return the checkpoint's names of our parameters; without a head they have no prefix."""
        return name_table(self.outside, self.config.n_layer, self.prefix)

    def find(self, tensors: dict[str, Stored]) -> Loaded:
        """Find our parameters among a checkpoint's tensors, whichever class wrote it."""
        table = name_table(self.outside, self.config.n_layer)
        tied = {TWIN: self.outside["embeddings.token"]}
        return from_hf(renamed(tensors, without_prefix), table, self.params, self.transposed, tied)


def _check_past(past: KeyValueCache, batch_size: int) -> None:
    if not isinstance(past, KeyValueCache):
        raise DataError(f"past_key_values must be what a call with use_cache=True returned, not {type(past).__name__}")
    if past.arrays.shape[2] != batch_size:
        raise DataError(
            f"past_key_values is of {past.arrays.shape[2]} sequences, but input_ids has {batch_size}: "
            "go on with the same batch"
        )
