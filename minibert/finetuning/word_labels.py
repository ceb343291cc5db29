"""Labels of words and their pieces: a word's label belongs to its first piece (Devlin et al. 2018, section 5.3)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from minibert.errors import DataError
from minibert.ops import IGNORE_INDEX
from minibert.tokenizers.batch_encoding import BatchEncoding


def piece_labels(word_ids: Sequence[int | None], labels: Sequence[int]) -> list[int]:
    """Give each piece of a text its label.

    Parameters
    ----------
    word_ids : list of int or None
        The word that each piece belongs to, None for special tokens and padding: `BatchEncoding.word_ids(row)`.
    labels : list of int
        One for each word.

    Returns
    -------
    list of int
        The word's label at its first piece; -100, no target, at further pieces and special tokens.

    Raises
    ------
    DataError
        If there are fewer labels than words.
    """
    if (longest := max((word for word in word_ids if word is not None), default=-1)) >= len(labels):
        raise DataError(f"the text has at least {longest + 1} words, but {len(labels)} labels: give one for each word")
    firsts = _first_pieces(word_ids)
    return [labels[word] if i in firsts else IGNORE_INDEX for i, word in enumerate(word_ids)]


def align_labels(encoding: BatchEncoding, labels: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return `piece_labels` for each row of a batch that was encoded with `is_split_into_words=True`.

    Rows that overflowed get the labels of their text; a word that such a row begins within has its label at
    the first piece that is there.

    Raises
    ------
    DataError
        If a text has no labels, or fewer than words.
    """
    owners = encoding.get("overflow_to_sample_mapping", range(len(encoding.encodings)))
    rows = []
    for row, owner in enumerate(owners):
        if owner >= len(labels):
            raise DataError(f"the batch has more than {owner} texts, but labels for {len(labels)}")
        rows.append(piece_labels(encoding.word_ids(row), labels[owner]))
    return rows


def word_predictions(word_ids: Sequence[int | None], predictions: ArrayLike, n_words: int) -> list[int]:
    """Read what was predicted for each word at its first piece: the way back of `piece_labels`.

    Parameters
    ----------
    word_ids : list of int or None
        The word that each piece belongs to.
    predictions : (T,) integers
        One for each piece.
    n_words : int

    Returns
    -------
    list of int
        n_words long; -100 for words that have no piece, as those that truncation cut off.
    """
    found = np.asarray(predictions)
    words = [IGNORE_INDEX] * n_words
    for i, word in _first_pieces(word_ids).items():
        words[word] = int(found[i])
    return words


def _first_pieces(word_ids: Sequence[int | None]) -> dict[int, int]:
    """{place of a word's first piece: the word}."""
    firsts: dict[int, int] = {}
    for i, word in enumerate(word_ids):
        if word is not None:
            firsts.setdefault(word, i)
    return {i: word for word, i in firsts.items()}
