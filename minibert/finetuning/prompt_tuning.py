"""Prompt tuning as a transformation of the parameter tree and of batches (Lester et al. 2021, arXiv:2104.08691).

The tree gets one leaf, embeddings.prompt (n, D): the vectors of n virtual tokens, whose ids V, V + 1, ... follow the
vocabulary. A batch gets these ids before each sequence. All else follows from there, and is what PEFT computes:

    positions      0..n-1 are the virtual tokens', the text begins at n (in RoBERTa all behind the padding's position)
    segment        0
    attention mask 1: every token sees the prompt
    labels         -100; in a causal model the last virtual token predicts the text's first
    first token    what BERT's pooler reads is the first virtual token
"""

from typing import Any

import numpy as np

from minibert.errors import ConfigError
from minibert.finetuning.peft_config import PromptTuningConfig
from minibert.frozen import freeze
from minibert.models.base import Model
from minibert.ops import IGNORE_INDEX
from minibert.tree import Tree

PROMPT = "embeddings.prompt"


def add_prompt(model: Model, config: PromptTuningConfig, rng: np.random.Generator, tokenizer: Any = None) -> Tree:
    """Return the model's parameters, Frozen, with the vectors of the virtual tokens.

    Raises
    ------
    ConfigError
        If they leave no position for a text.
    """
    n, table = config.num_virtual_tokens, model.params["embeddings"]["token"]
    if n >= model.config.max_length:
        raise ConfigError(f"{n} virtual tokens leave no room: the model has {model.config.max_length} positions")
    params = dict(model.params)
    params["embeddings"] = {**params["embeddings"], "prompt": initial_prompt(config, table, rng, tokenizer)}
    return freeze(params, lambda name: name == PROMPT)


def initial_prompt(
    config: PromptTuningConfig, table: np.ndarray, rng: np.random.Generator, tokenizer: Any = None
) -> np.ndarray:
    """table (V, D)  ->  (n, D).

    RANDOM in PEFT is normal with a standard deviation of 1, fifty times that of an untrained table: vectors that the
    model has not met. Here it is the table's.
    """
    n, plain = config.num_virtual_tokens, np.asarray(table)
    if config.prompt_tuning_init == "RANDOM":
        return (plain.std() * rng.standard_normal((n, plain.shape[1]))).astype(plain.dtype)
    if config.prompt_tuning_init == "SAMPLE_VOCAB":
        return np.array(plain[rng.integers(0, len(plain), n)])
    ids = _tokenizer(config, tokenizer)(config.prompt_tuning_init_text)["input_ids"]
    return np.array(plain[np.resize(np.asarray(ids), n)])  # repeated or cut


def _tokenizer(config: PromptTuningConfig, tokenizer: Any) -> Any:
    if tokenizer is not None:
        return tokenizer
    if config.tokenizer_name_or_path is None:
        raise ConfigError("prompt_tuning_init TEXT needs a tokenizer: give tokenizer_name_or_path, a folder")
    from minibert.tokenizers import AutoTokenizer

    return AutoTokenizer.from_pretrained(config.tokenizer_name_or_path)


def with_prompt(batch: dict[str, Any], V: int, n: int) -> dict[str, Any]:
    """Return the batch with n virtual tokens, V to V + n - 1, before each sequence.

    Parameters
    ----------
    batch : dict
        `input_ids` (..., T), and what else a call of the model takes. Labels of (..., T) integers are those of tokens;
        start_positions and end_positions are moved by n, and so are position_ids (which PEFT leaves out).
    V, n : int
        Size of the vocabulary, number of virtual tokens.
    """
    shape = np.shape(batch["input_ids"])
    result = dict(batch)
    for name, value in batch.items():
        if value is None:
            continue
        if name == "input_ids":
            result[name] = _before(value, np.arange(V, V + n))
        elif name == "attention_mask":
            result[name] = _before(value, np.ones(n, np.asarray(value).dtype))
        elif name == "token_type_ids":
            result[name] = _before(value, np.zeros(n, np.int64))
        elif name == "position_ids":
            result[name] = _before(np.asarray(value) + n, np.arange(n))
        elif name in ("start_positions", "end_positions"):
            result[name] = np.asarray(value) + n
        elif name == "labels" and np.shape(value) == shape and np.asarray(value).dtype.kind in "iu":
            result[name] = _before(value, np.full(n, IGNORE_INDEX))
    return result


def _before(values: Any, first: np.ndarray) -> np.ndarray:
    """values (..., T), first (n,)  ->  (..., n + T)."""
    values = np.asarray(values)
    first = np.broadcast_to(first, (*values.shape[:-1], len(first)))
    return np.concatenate([first, values], axis=-1)
