"""The characters of a text as its vocabulary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from minibert.data.learning import LARGEST_VOCABULARY, check_request, progress_bar, watched
from minibert.tokenizers.backends import CHAR_TOKENS, characters

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BATCH_CHARACTERS = 1_000_000


def train_characters(
    documents: Iterable[str],
    vocab_size: int = LARGEST_VOCABULARY,
    progress: bool = True,
    special_tokens: tuple[str, ...] = CHAR_TOKENS,
) -> Tokenizer:
    """Return a tokenizer of the characters of the text, sorted, after the special tokens; all of the text is read.

    Of more than `vocab_size` allows, the most frequent ones are kept; the rest is `<unk>`. The line feed, which
    separates documents, is always there.

    Parameters
    ----------
    documents : iterable of str
    vocab_size : int
        At most so many tokens.
    progress : bool
    special_tokens : tuple of str
        `CHAR_TOKENS`, or `ROBERTA_TOKENS` for masked language models.

    Raises
    ------
    ConfigError
        `vocab_size` leaves no room for a character, or is above a million.
    """
    check_request(documents, vocab_size, len(special_tokens) + 2)
    counts = np.zeros(0x110000, np.int64)
    with progress_bar(None, progress) as bar:
        for batch in _batches(watched(documents, bar)):
            points = np.frombuffer(batch.encode("utf-32-le"), np.uint32)
            counts += np.bincount(points, minlength=len(counts))
    counts[ord("\n")] = np.iinfo(np.int64).max
    room = min(np.count_nonzero(counts), vocab_size - len(special_tokens))
    kept = np.sort(np.argsort(-counts, kind="stable")[:room])
    tokens = [*special_tokens, *map(chr, kept.tolist())]
    return characters({token: id for id, token in enumerate(tokens)})


def _batches(texts: Iterator[str]) -> Iterator[str]:
    """Join short texts to about a million characters: counting costs a table of all characters each time."""
    waiting, size = [], 0
    for text in texts:
        for begin in range(0, len(text), BATCH_CHARACTERS):
            waiting.append(text[begin : begin + BATCH_CHARACTERS])
            size += len(waiting[-1])
            if size >= BATCH_CHARACTERS:
                yield "".join(waiting)
                waiting, size = [], 0
    yield "".join(waiting)
