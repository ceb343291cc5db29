"""Text from a causal language model, all at once or token by token."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from minibert.dispatch import no_grad
from minibert.generation.logits import draw, process
from minibert.generation.prompts import Prompts, check_prompts
from minibert.generation.reader import Reader
from minibert.generation.settings import GenerationSettings, settings_of


def generate(
    model: Any,
    input_ids: ArrayLike,
    max_new_tokens: int | None = None,
    attention_mask: ArrayLike | None = None,
    **options: Any,
) -> np.ndarray:
    """Continue texts, and return them with what was written.

    Parameters
    ----------
    model : CausalLM
        As a method, `model.generate(...)`.
    input_ids : (B, T) integers
        The prompts; those of different lengths padded on the left.
    max_new_tokens : int
        At most so many new tokens. It must be given: there is no number that suits all.
    attention_mask : (B, T), optional
        1 where there is a token, 0 where there is padding. What each text becomes does not depend on the others.
    temperature : float
        Logits are divided by it before a token is drawn: below 1 chance counts less; 0 means no chance, the most
        probable token each time ("greedy").
    top_k : int
        Draw among the k most probable tokens; 0: among all.
    top_p : float
        Draw among the fewest tokens whose probabilities add up to this.
    repetition_penalty : float
        Above 1, tokens that the text holds become less probable, drawn or not.
    num_return_sequences : int
        How many continuations of each prompt, one below the other.
    do_sample : bool, optional
        True: draw, False: take the most probable token. None: draw if a temperature other than 1, top_k, top_p,
        num_return_sequences or a seed was given.
    eos_token_id : int or list of int, optional
        A text ends with such a token. None: at no token, whatever the configuration of the model says.
    pad_token_id : int, optional
        Stands behind a text that ended before others; by default eos_token_id.
    seed : int, optional
        Of the draws (default 0). A text's draws depend on the seed, its prompt and which of its continuations it is.
    slide : bool
        When the positions are full, go on from the latter half of them. Otherwise that is an error.

    Returns
    -------
    (B * num_return_sequences, T + new tokens) int64

    Raises
    ------
    ConfigError
        If a setting cannot work, or there is no option of that name.
    DataError
        If a prompt is empty or longer than the positions of the model, or the new tokens would be.
    """
    s = settings_of(max_new_tokens, options)
    prompts = check_prompts(input_ids, attention_mask, model.config, s)
    whole = np.repeat(np.asarray(input_ids, np.int64), s.num_return_sequences, axis=0)  # (B R, T)
    return np.concatenate([whole, *(tokens[:, None] for tokens in _write(model, prompts, s))], axis=1)


def stream(
    model: Any,
    input_ids: ArrayLike,
    max_new_tokens: int | None = None,
    attention_mask: ArrayLike | None = None,
    **options: Any,
) -> Iterator[np.ndarray]:
    """Yield the new tokens as they are written, (B * num_return_sequences,) each time: see `generate`."""
    s = settings_of(max_new_tokens, options)
    return _write(model, check_prompts(input_ids, attention_mask, model.config, s), s)


def _write(model: Any, prompts: Prompts, s: GenerationSettings) -> Iterator[np.ndarray]:
    """Read the prompts, then choose a token and read it, in turn. A text that ended goes on with padding."""
    reader = Reader(model, prompts, s)
    rows = np.arange(len(prompts.ids))
    history = np.zeros((len(rows), model.config.vocab_size), bool)  # (B, V)
    for i in rows:
        history[i, prompts.row(i)] = True
    draws = [_generator(s, prompts.row(i), i) for i in rows] if s.samples else []
    running = np.ones(len(rows), bool)
    tokens = prompts.ids
    for _ in range(s.max_new_tokens):
        with no_grad():
            scores = process(reader.read(tokens), history, s)  # (B, V)
        chosen = draw(scores, np.array([g.random() for g in draws])) if draws else scores.argmax(1)  # (B,)
        chosen = np.where(running, chosen, s.padding)
        yield chosen
        history[rows, chosen] = True
        running &= ~np.isin(chosen, s.ends)
        if not running.any():
            return
        tokens = chosen[:, None]  # (B, 1)


def _generator(s: GenerationSettings, prompt: np.ndarray, row: int) -> np.random.Generator:
    """A text has numbers of its own: they follow from the seed, its prompt, and which of its continuations it is."""
    return np.random.default_rng([s.seed or 0, row % s.num_return_sequences, *prompt.tolist()])
