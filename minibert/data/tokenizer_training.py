"""Learn the tokenizer of a kind that is asked for by name."""

from __future__ import annotations

from collections.abc import Iterable

from minibert.data.tokenizer_byte_bpe import train_byte_bpe
from minibert.data.tokenizer_characters import train_characters
from minibert.data.tokenizer_wordpiece import train_wordpiece
from minibert.errors import ConfigError
from minibert.tokenizers.backends import CHAR_TOKENS, GPT2_TOKENS, ROBERTA_TOKENS
from minibert.tokenizers.base import PretrainedTokenizer
from minibert.tokenizers.bert import BertTokenizer
from minibert.tokenizers.char import CharTokenizer
from minibert.tokenizers.gpt2 import GPT2Tokenizer
from minibert.tokenizers.roberta import RobertaTokenizer

KINDS = ("wordpiece", "bpe", "char")


def train_tokenizer(
    kind: str,
    documents: Iterable[str],
    vocab_size: int,
    lowercase: bool = True,
    masked: bool = True,
    progress: bool = True,
) -> PretrainedTokenizer:
    """Learn a vocabulary and return the tokenizer of the class that fits.

    Parameters
    ----------
    kind : {"wordpiece", "bpe", "char"}
    documents : iterable of str
        Not an iterator: read several times.
    vocab_size : int
        The number of tokens; of characters, at most so many.
    lowercase : bool
        For WordPiece; the others always keep the text as it is.
    masked : bool
        For a masked language model (RoBERTa's special tokens), not a causal one (`<|endoftext|>` or the line feed
        alone). WordPiece always has BERT's.
    progress : bool

    Raises
    ------
    ConfigError
        `kind` is unknown, or `vocab_size` cannot be.
    DataError
        The text cannot give that many tokens.
    """
    if kind == "wordpiece":
        return BertTokenizer(train_wordpiece(documents, vocab_size, lowercase, progress))
    if kind == "bpe":
        face, special = (RobertaTokenizer, ROBERTA_TOKENS) if masked else (GPT2Tokenizer, GPT2_TOKENS)
        return face(train_byte_bpe(documents, vocab_size, progress, special))
    if kind == "char":
        return CharTokenizer(
            train_characters(documents, vocab_size, progress, ROBERTA_TOKENS if masked else CHAR_TOKENS)
        )
    raise ConfigError(f"tokenizer is {kind!r}; it must be one of {', '.join(KINDS)}")
