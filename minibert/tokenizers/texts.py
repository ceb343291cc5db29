"""What a call is given, as a batch for the library, checked."""

from __future__ import annotations

from typing import Any

from minibert.errors import DataError


def as_batch(text: Any, text_pair: Any, is_split_into_words: bool) -> tuple[list, bool]:
    """Return a list of texts or (text, text) tuples, and whether a batch was given rather than one text.

    A single empty `text_pair` counts as none, as users know it; in a batch it is an empty second text.
    """
    is_batch = isinstance(text, list | tuple)
    if is_split_into_words:
        is_batch = is_batch and len(text) > 0 and isinstance(text[0], list | tuple)
    if not is_batch:
        batch = [(text, text_pair)] if text_pair else [text]
    elif text_pair is None:
        batch = [_pair(item) for item in text] if not is_split_into_words else list(text)
    elif not isinstance(text_pair, list | tuple) or len(text_pair) != len(text):
        raise DataError(f"text is a batch of {len(text)}, so text_pair must be a list of {len(text)} texts too")
    else:
        batch = list(zip(text, text_pair, strict=True))
    for i, item in enumerate(batch):
        for part in item if isinstance(item, tuple) else (item,):
            _check(part, i, is_split_into_words)
    return batch, is_batch


def _pair(item: Any) -> Any:
    """A pair may be a list or a tuple; for the library it is a tuple."""
    return tuple(item) if isinstance(item, list | tuple) and len(item) == 2 else item


def _check(part: Any, i: int, is_split_into_words: bool) -> None:
    if is_split_into_words:
        if not isinstance(part, list | tuple) or not all(isinstance(word, str) for word in part):
            raise DataError(f"text {i} is no list of words (str): with is_split_into_words each text must be one")
    elif not isinstance(part, str):
        raise DataError(
            f"text {i} is of type {type(part).__name__}, not str: give text, a list of texts, or pairs of texts"
        )


def explain_text(batch: list) -> DataError:
    """Return why the library refused a batch of strings: half a character, which no UTF-8 can hold."""
    for i, item in enumerate(batch):
        for part in item if isinstance(item, tuple) else (item,):
            text = part if isinstance(part, str) else "".join(part)
            place = next((place for place, c in enumerate(text) if "\ud800" <= c <= "\udfff"), None)
            if place is not None:
                return DataError(
                    f"text {i} holds a lone surrogate, half a character, at {place}: read the file as UTF-8, "
                    "or replace such characters"
                )
    return DataError("the texts are not what the tokenizer can read: give str, lists of str, or pairs of str")
