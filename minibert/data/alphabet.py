"""The text and the characters that a vocabulary is learned from."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SAMPLE_CHARACTERS = 50_000_000  # the most text that a vocabulary is learned from; more hardly changes it
PIECE_CHARACTERS = 20_000  # the library queues a few hundred items: short ones bound its memory

# WordPiece reads a word of more than 100 characters as [UNK], so nothing is to be learned from it; merging pieces
# inside a word of millions of characters (a genome, base64) would take hours. Chinese characters stand apart.
_ENDLESS_WORD = re.compile(r"\b[^\W\u4e00-\u9fff]{101,}")


def sample(documents: Iterable[str], total: int) -> Iterator[str]:
    """Yield the documents in short pieces; of too many characters in `total`, pieces evenly spread over the text."""
    rate = min(1.0, SAMPLE_CHARACTERS / max(total, 1))
    seen = taken = 0
    for document in documents:
        for begin in range(0, len(document), PIECE_CHARACTERS):
            piece = document[begin : begin + PIECE_CHARACTERS]
            seen += len(piece)
            if taken + len(piece) <= seen * rate:
                taken += len(piece)
                yield _ENDLESS_WORD.sub(" ", piece)


def characters_by_frequency(texts: Iterator[str], tokenizer: Tokenizer) -> list[str]:
    """Return the characters of the normalised texts, the most frequent first, white space left out."""
    counts = np.zeros(0x110000, np.int64)
    while batch := "".join(itertools.islice(texts, 20)):  # normalising takes some 300 bytes a character
        points = np.frombuffer(tokenizer.normalizer.normalize_str(batch).encode("utf-32-le"), np.uint32)
        counts += np.bincount(points, minlength=len(counts))
    order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    return [chr(point) for point in order if not chr(point).isspace()]


def pieces(characters: list[str], tokenizer: Tokenizer) -> list[str]:
    """Return the tokens that spell the characters: c, and ##c if it can stand inside a word.

    Punctuation and Chinese characters cannot: they always stand apart.
    """
    tokens = []
    for c in characters:
        text = tokenizer.normalizer.normalize_str("a" + c)
        inside = len(tokenizer.pre_tokenizer.pre_tokenize_str(text)) == 1
        tokens += [c, f"##{c}"] if inside else [c]
    return tokens
