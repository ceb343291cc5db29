"""What a call of a model returns."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from minibert.blocks.past import KeyValueCache


@dataclass(eq=False)
class ModelOutput(Mapping):
    """Fields by name, or by position, as in Hugging Face: a mapping of those that are not None."""

    def __getitem__(self, index: int | slice | str) -> Any:
        return {name: getattr(self, name) for name in self}[index] if isinstance(index, str) else self.to_tuple()[index]

    def __iter__(self) -> Iterator[str]:
        return (field.name for field in fields(self) if getattr(self, field.name) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def to_tuple(self) -> tuple:
        """Return the fields that are not None."""
        return tuple(getattr(self, name) for name in self)


@dataclass(eq=False)
class EncoderOutput(ModelOutput):
    """Of a model without a head: last_hidden_state (B, T, D), pooler_output (B, D)."""

    last_hidden_state: np.ndarray
    pooler_output: np.ndarray
    hidden_states: tuple[np.ndarray, ...] | None = None  # L + 1 arrays (B, T, D)
    attentions: tuple[np.ndarray, ...] | None = None  # L arrays (B, H, T, T)


@dataclass(eq=False)
class DecoderOutput(ModelOutput):
    """Of a decoder without a head: last_hidden_state (B, T, D)."""

    last_hidden_state: np.ndarray
    past_key_values: KeyValueCache | None = None
    hidden_states: tuple[np.ndarray, ...] | None = None  # L + 1 arrays (B, T, D)
    attentions: tuple[np.ndarray, ...] | None = None  # L arrays (B, H, T, S)


@dataclass(eq=False)
class CausalLMOutput(ModelOutput):
    """Of a causal language model: loss (scalar, if labels were given), logits (B, T, V)."""

    loss: float | None
    logits: np.ndarray
    past_key_values: KeyValueCache | None = None
    hidden_states: tuple[np.ndarray, ...] | None = None
    attentions: tuple[np.ndarray, ...] | None = None


@dataclass(eq=False)
class HeadOutput(ModelOutput):
    """Of a model with one head: loss (scalar, if labels were given), logits."""

    loss: float | None
    logits: np.ndarray
    hidden_states: tuple[np.ndarray, ...] | None = None
    attentions: tuple[np.ndarray, ...] | None = None


@dataclass(eq=False)
class SpanOutput(ModelOutput):
    """Of a model that answers questions: loss (scalar, if positions were given), start_logits, end_logits (B, T)."""

    loss: float | None
    start_logits: np.ndarray
    end_logits: np.ndarray
    hidden_states: tuple[np.ndarray, ...] | None = None
    attentions: tuple[np.ndarray, ...] | None = None


@dataclass(eq=False)
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
