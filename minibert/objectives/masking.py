"""Masked language modelling: which tokens are hidden, and behind what (Devlin et al. 2018, section 3.1)."""

from typing import NamedTuple

import numpy as np

from minibert.ops import IGNORE_INDEX


class Vocabulary(NamedTuple):
    """What an objective needs to know about the tokenizer: ids, no text."""

    size: int
    pad: int
    cls: int
    sep: int
    mask: int
    special: tuple[int, ...]  # all special ids: they are never hidden, nor put in another's place
    word_starts: np.ndarray  # (V,) bool: False for a piece that continues a word


def mask_tokens(
    input_ids: np.ndarray,
    vocabulary: Vocabulary,
    rng: np.random.Generator,
    rate: float = 0.15,
    whole_words: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Hide a share of the tokens of each sequence.

    Of the chosen tokens 80 % become [MASK], 10 % a random ordinary token and 10 % stay as they
    are, so that the model cannot rely on seeing [MASK] where it must predict.

    Parameters
    ----------
    input_ids : (B, T) integers
    vocabulary : Vocabulary
    rng : np.random.Generator
    rate : float
        Of the ordinary tokens of a sequence, this share is chosen, rounded, and at least one.
    whole_words : bool
        Choose words and hide all pieces of each (a word that would exceed the share is passed
        over, unless it is the only way to choose any).

    Returns
    -------
    masked_ids : (B, T)
    labels : (B, T)
        The true id where a token was chosen, -100 elsewhere.
    """
    ordinary = ~np.isin(input_ids, vocabulary.special)  # (B, T)
    chosen = np.zeros_like(ordinary)
    for row, candidates in enumerate(ordinary):
        positions = np.flatnonzero(candidates)
        if len(positions):
            budget = max(1, round(rate * len(positions)))
            starts = vocabulary.word_starts[input_ids[row, positions]] if whole_words else np.ones(len(positions), bool)
            chosen[row, positions[_choose(starts, budget, rng)]] = True
    labels = np.where(chosen, input_ids, IGNORE_INDEX)
    draw = rng.random(input_ids.shape)
    masked = np.where(chosen & (draw < 0.8), vocabulary.mask, input_ids)
    replace = chosen & (draw >= 0.8) & (draw < 0.9)
    ordinary_ids = np.setdiff1d(np.arange(vocabulary.size), vocabulary.special)
    masked[replace] = rng.choice(ordinary_ids, replace.sum())
    return masked, labels


def _choose(starts: np.ndarray, budget: int, rng: np.random.Generator) -> np.ndarray:
    """Return which of n tokens to hide, (k,) indices with k <= budget: whole words, in random order.

    `starts` (n,) tells which tokens begin a word; where all do, these are simply `budget` tokens.
    """
    word = np.cumsum(starts) - starts[0]  # (n,) number of the word, from 0
    sizes = np.bincount(word)  # (W,)
    order = rng.permutation(len(sizes))
    taken, left = [], budget
    for w in order:
        if sizes[w] <= left:
            taken.append(w)
            left -= sizes[w]
            if left == 0:
                break
    return np.flatnonzero(np.isin(word, taken or order[:1]))
