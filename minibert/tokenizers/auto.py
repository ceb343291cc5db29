"""Open any tokenizer: the kind is read off the files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from minibert.errors import DataError
from minibert.tokenizers.backends import ROBERTA_TOKENS, is_byte_bpe, is_characters, is_wordpiece
from minibert.tokenizers.base import PretrainedTokenizer
from minibert.tokenizers.bert import BertTokenizer
from minibert.tokenizers.char import CharTokenizer
from minibert.tokenizers.gpt2 import GPT2Tokenizer
from minibert.tokenizers.opening import open_tokenizer
from minibert.tokenizers.roberta import RobertaTokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class AutoTokenizer:
    """`AutoTokenizer.from_pretrained(path)` gives a tokenizer of the class that fits."""

    @staticmethod
    def from_pretrained(path: str | Path, **options: Any) -> PretrainedTokenizer:
        """Open a folder, a `tokenizer.json`, a `vocab.txt`, or a `vocab.json` with its `merges.txt`.

        Raises
        ------
        DataError
            A file is missing or damaged, its kind is not supported, or a special token is missing.
        """
        return open_tokenizer(class_of, path, options)


def class_of(backend: Tokenizer) -> type[PretrainedTokenizer]:
    """Return the class for a tokenizer of the library; none for its kind is a `DataError`."""
    if is_wordpiece(backend):
        return BertTokenizer
    if is_byte_bpe(backend):
        framed = all(backend.token_to_id(token) is not None for token in ROBERTA_TOKENS)
        return RobertaTokenizer if framed else GPT2Tokenizer
    if is_characters(backend):
        return CharTokenizer
    kind = type(backend.model).__name__
    raise DataError(f"a {kind} tokenizer of a kind that is not supported; use WordPiece, byte-level BPE or characters")


def with_face(tokenizer: Tokenizer | PretrainedTokenizer, **options: Any) -> PretrainedTokenizer:
    """Return `tokenizer` if it has the methods already, or give them to one of the library."""
    return tokenizer if isinstance(tokenizer, PretrainedTokenizer) else class_of(tokenizer)(tokenizer, **options)
