"""Strings out of files, checked, and names of columns for a message."""

from collections.abc import Sequence
from typing import Any

from minibert.errors import DataError

MOST_COLUMNS = 10_000
SHOWN = 10  # names in a message


def listed(names: Sequence[str]) -> str:
    """Return the names of columns for a message: a file may hold any number."""
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def check_text(text: Any, where: str) -> str:
    """Return a clean string. Raises `DataError` for anything else: a NUL, half a surrogate pair, no string."""
    if not isinstance(text, str):
        raise DataError(f"{where} is of type {type(text).__name__}; it must be a string")
    if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise DataError(f"{where} holds a NUL or half a surrogate pair, which no text has; remove it")
    return text
