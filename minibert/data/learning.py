"""What learning any vocabulary needs: sane requests, a sample of the text, a progress bar."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tqdm import tqdm

from minibert.data.alphabet import SAMPLE_CHARACTERS, sample
from minibert.errors import ConfigError, DataError

if TYPE_CHECKING:
    from tokenizers import Tokenizer, trainers

LARGEST_VOCABULARY = 1_000_000  # the library's trainers reserve memory for all of it


def require_rereadable(documents: Iterable[str]) -> None:
    """Refuse an iterator, which would be empty the second time it is read."""
    if isinstance(documents, Iterator):
        raise TypeError("the documents are read several times: pass a list or a Documents object, not an iterator")


def check_request(documents: Iterable[str], vocab_size: int, smallest: int) -> None:
    """Refuse a size that cannot be, and documents that can be read only once."""
    if vocab_size < smallest:
        raise ConfigError(f"vocab_size is {vocab_size}; it must be at least {smallest}")
    if vocab_size > LARGEST_VOCABULARY:
        raise ConfigError(f"vocab_size is {vocab_size}; it must be at most {LARGEST_VOCABULARY}")
    require_rereadable(documents)


def check_enough(vocab: dict[str, int], vocab_size: int, total: int) -> None:
    """Refuse a vocabulary that came out smaller than it was asked for."""
    if len(vocab) < vocab_size:
        raise DataError(
            f"a vocabulary of {vocab_size} tokens was asked for, but the text ({total} characters) can give only "
            f"{len(vocab)}: ask for at most that many (--vocab_size), or add text"
        )


def learn(
    tokenizer: Tokenizer, trainer: trainers.Trainer, documents: Iterable[str], total: int, progress: bool
) -> None:
    """Train on a sample of the text, showing how far it is."""
    with progress_bar(min(total, SAMPLE_CHARACTERS), progress) as bar:
        tokenizer.train_from_iterator(watched(sample(documents, total), bar), trainer)


def progress_bar(total: int | None, progress: bool) -> tqdm:
    """A progress bar, in a terminal, if it takes more than a second."""
    return tqdm(
        total=total,
        desc="Learning the vocabulary",
        unit="char",
        unit_scale=True,
        delay=1,
        disable=None if progress else True,
    )


def watched(texts: Iterable[str], bar: tqdm) -> Iterator[str]:
    """Yield the texts, and tell the bar."""
    for text in texts:
        bar.update(len(text))
        yield text
