"""Tokenizers as the data and the objectives need them: open, save, and what is to know about their ids.

Each function takes a tokenizer of `minibert.tokenizers` or one of the library `tokenizers`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from minibert.data.learning import require_rereadable
from minibert.data.tokenizer_byte_bpe import train_byte_bpe
from minibert.data.tokenizer_characters import train_characters
from minibert.data.tokenizer_training import train_tokenizer
from minibert.data.tokenizer_wordpiece import train_wordpiece
from minibert.errors import DataError
from minibert.objectives.masking import Vocabulary
from minibert.tokenizers.auto import with_face
from minibert.tokenizers.backends import BERT_TOKENS, backend_of, is_wordpiece
from minibert.tokenizers.bert import BertTokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from minibert.tokenizers.base import PretrainedTokenizer

    AnyTokenizer = Tokenizer | PretrainedTokenizer

__all__ = [
    "SPECIAL_TOKENS",
    "SpecialIds",
    "load_tokenizer",
    "require_rereadable",
    "save_tokenizer",
    "separator_id",
    "special_ids",
    "train_byte_bpe",
    "train_characters",
    "train_tokenizer",
    "train_wordpiece",
    "vocabulary_of",
    "vocabulary_size",
    "word_starts",
]

SPECIAL_TOKENS = BERT_TOKENS
BYTE_LEVEL_SPACES = tuple("ĠĊĉčċČ")  # how byte-level BPE writes the space, the line feed, tabs and their kin


class SpecialIds(NamedTuple):
    """The ids of the five special tokens."""

    pad: int
    unk: int
    cls: int
    sep: int
    mask: int


def load_tokenizer(path: str | Path) -> Tokenizer:
    """Open BERT's tokenizer: a `tokenizer.json`, a `vocab.txt` (one token a line), or a folder that holds either.

    Truncation and padding that a `tokenizer.json` may ask for are switched off: batches are ours to shape. A
    `vocab.txt` is cased if a `tokenizer_config.json` beside it says so, or else if any of its tokens has a capital.
    `minibert.AutoTokenizer.from_pretrained` opens the other kinds too.

    Raises
    ------
    DataError
        The path is missing, the file is damaged, the tokenizer is no WordPiece, or a special token is missing.
    """
    return BertTokenizer.from_pretrained(path).backend_tokenizer


def save_tokenizer(tokenizer: AnyTokenizer, folder: str | Path, model_max_length: int | None = None) -> None:
    """Write `tokenizer.json`, `tokenizer_config.json` and the vocabulary files, the layout of a checkpoint folder."""
    tokenizer = with_face(tokenizer)
    if model_max_length is not None:
        tokenizer.model_max_length = model_max_length
    tokenizer.save_pretrained(folder)


def special_ids(tokenizer: AnyTokenizer) -> SpecialIds:
    """Return the ids of the special tokens of a masked language model; one missing is a `DataError`."""
    face = with_face(tokenizer)
    roles = [f"{role}_token" for role in SpecialIds._fields]
    missing = [role for role in roles if getattr(face, role) is None]
    if missing:
        raise DataError(
            f"the tokenizer has no {', '.join(missing)}, which a masked language model needs: use a vocabulary of "
            "BERT or RoBERTa"
        )
    return SpecialIds(*(getattr(face, f"{role}_id") for role in roles))


def separator_id(tokenizer: AnyTokenizer) -> int:
    """Return the id to put between documents: of [SEP], </s>, <|endoftext|>, or the line feed for characters."""
    id = with_face(tokenizer).separator_id
    if id is None:
        raise DataError("the tokenizer has no token that separates documents: use a vocabulary with a line feed")
    return id


def word_starts(tokenizer: AnyTokenizer) -> np.ndarray:
    """Return bool (V,): whether a token starts a word.

    Of WordPiece all but the continuation pieces `##x`; of byte pairs and characters those that begin with white
    space, and the special tokens.
    """
    face, vocab = with_face(tokenizer), backend_of(tokenizer).get_vocab()
    if is_wordpiece(face.backend_tokenizer):
        prefix = face.backend_tokenizer.model.continuing_subword_prefix
        return _table(vocab, lambda token: not token.startswith(prefix) or token == prefix)
    special = set(face.all_special_tokens)
    return _table(vocab, lambda t: t in special or t.startswith(BYTE_LEVEL_SPACES) or t[:1].isspace())


def _table(vocab: dict[str, int], holds: Callable[[str], bool]) -> np.ndarray:
    table = np.ones(max(vocab.values()) + 1, bool)  # (V,)
    table[[id for token, id in vocab.items() if not holds(token)]] = False
    return table


def vocabulary_of(tokenizer: AnyTokenizer) -> Vocabulary:
    """Return what the objectives that hide tokens need to know about the tokenizer."""
    ids = special_ids(tokenizer)
    return Vocabulary(
        vocabulary_size(tokenizer), ids.pad, ids.cls, ids.sep, ids.mask, tuple(ids), word_starts(tokenizer)
    )


def vocabulary_size(tokenizer: AnyTokenizer) -> int:
    """Return V, one more than the largest id (ids may have gaps in a vocabulary that someone extended)."""
    return max(tokenizer.get_vocab().values()) + 1
