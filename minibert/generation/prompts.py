"""The texts to go on from, checked: a batch padded on the left, with room for what is to come."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from minibert.errors import ConfigError, DataError
from minibert.generation.settings import GenerationSettings
from minibert.models.inputs import check_ids, check_mask
from minibert.models.room import machine_memory
from minibert.units import bytes_text


class Prompts(NamedTuple):
    """What is read first."""

    ids: np.ndarray  # (B, T)
    mask: np.ndarray  # (B, T) boolean: False in padding

    def row(self, i: int) -> np.ndarray:
        """Return prompt i without its padding."""
        return self.ids[i, self.mask[i]]


def check_prompts(
    input_ids: ArrayLike, attention_mask: ArrayLike | None, config: Any, s: GenerationSettings
) -> Prompts:
    """Return the prompts, each `num_return_sequences` times. Raises `DataError` or `ConfigError`."""
    s.check_tokens(config.vocab_size)
    try:
        array = np.asarray(input_ids)
    except ValueError as error:
        raise DataError("the prompts have different lengths: pad them on the left and give attention_mask") from error
    if array.size == 0:
        raise DataError("the prompt is empty: give at least one token to go on from")
    ids = check_ids("input_ids", array, config.vocab_size)
    mask = np.ones(ids.shape, bool) if attention_mask is None else check_mask(attention_mask, ids.shape)
    if empty := np.flatnonzero(~mask.any(1)).tolist():
        raise DataError(f"prompt {empty[0]} is empty, all padding: give at least one token to go on from")
    if (mask[:, :-1] & ~mask[:, 1:]).any():
        raise DataError("a prompt has padding behind a token: pad prompts of different lengths on the left")
    _check_room(mask.sum(1).max(), config.max_length, s)
    _check_memory(*ids.shape, config, s)
    used = mask.any(0)  # columns of padding alone are of no use
    return Prompts(*(np.repeat(a[:, used], s.num_return_sequences, axis=0) for a in (ids, mask)))


def _check_room(longest: int, positions: int, s: GenerationSettings) -> None:
    if longest > positions:
        raise DataError(f"the prompt has {longest} tokens, but the model has positions for {positions}: cut the prompt")
    if longest + s.max_new_tokens > positions + 1 and not s.slide:  # the last token is written, not read
        raise DataError(
            f"{longest} tokens of the prompt and {s.max_new_tokens} new ones exceed the {positions} positions of the "
            "model: set a smaller max_new_tokens, or slide=True to forget the beginning on the way"
        )


def _check_memory(B: int, T: int, config: Any, s: GenerationSettings) -> None:
    """Keys and values of every layer and a row of logits for each text, in float32: is there room for them?"""
    texts, positions = B * s.num_return_sequences, min(config.max_length, T + s.max_new_tokens - 1)
    needed = 4 * texts * (2 * config.n_layer * config.hidden_size * positions + config.vocab_size)
    memory = machine_memory()
    if memory is not None and needed > memory:
        raise ConfigError(
            f"{texts:,} texts need at least {bytes_text(needed)} of memory, but this machine has {bytes_text(memory)}: "
            "write fewer at a time"
        )
