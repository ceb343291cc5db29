"""What a call of a model returns."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from minibert.blocks.past import KeyValueCache


@dataclass
class ModelOutput:
    """Fields by name, or by position among those that are not None, as in Hugging Face."""

    def __getitem__(self, index: int | slice | str) -> Any:
        if isinstance(index, str):
            return getattr(self, index)
        return tuple(value for f in fields(self) if (value := getattr(self, f.name)) is not None)[index]


@dataclass
class EncoderOutput(ModelOutput):
    """Of a model without a head: last_hidden_state (B, T, D), pooler_output (B, D)."""

    last_hidden_state: np.ndarray
    pooler_output: np.ndarray
    hidden_states: tuple[np.ndarray, ...] | None = None  # L + 1 arrays (B, T, D)
    attentions: tuple[np.ndarray, ...] | None = None  # L arrays (B, H, T, T)


@dataclass
class DecoderOutput(ModelOutput):
    """Of a decoder without a head: last_hidden_state (B, T, D)."""

    last_hidden_state: np.ndarray
    past_key_values: KeyValueCache | None = None
    hidden_states: tuple[np.ndarray, ...] | None = None  # L + 1 arrays (B, T, D)
    attentions: tuple[np.ndarray, ...] | None = None  # L arrays (B, H, T, S)


@dataclass
class CausalLMOutput(ModelOutput):
    """Of a causal language model: loss (scalar, if labels were given), logits (B, T, V)."""

    loss: float | None
    logits: np.ndarray
    past_key_values: KeyValueCache | None = None
    hidden_states: tuple[np.ndarray, ...] | None = None
    attentions: tuple[np.ndarray, ...] | None = None


@dataclass
class HeadOutput(ModelOutput):
    """Of a model with one head: loss (scalar, if labels were given), logits."""

    loss: float | None
    logits: np.ndarray
    hidden_states: tuple[np.ndarray, ...] | None = None
    attentions: tuple[np.ndarray, ...] | None = None


@dataclass
class PreTrainingOutput(ModelOutput):
    """Of a model with two heads: prediction_logits (B, T, V), seq_relationship_logits (B, 2)."""

    loss: float | None
    prediction_logits: np.ndarray
    seq_relationship_logits: np.ndarray
    hidden_states: tuple[np.ndarray, ...] | None = None
    attentions: tuple[np.ndarray, ...] | None = None

    @property
    def logits(self) -> np.ndarray:
        """The vocabulary's logits, by the name that models with one head use."""
        return self.prediction_logits
