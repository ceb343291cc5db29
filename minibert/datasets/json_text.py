"""Values and strings out of JSON, checked."""

import json
from typing import Any

from minibert.errors import DataError


def parse(text: str, where: str) -> Any:
    """Return the value of a JSON text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        why = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else error
        raise DataError(f"{where}: not valid JSON ({why})") from error


def check_text(text: Any, where: str) -> str:
    """Return a clean string. Raises `DataError` for anything else: a NUL, half a surrogate pair, no string."""
    if not isinstance(text, str):
        raise DataError(f"{where} is of type {type(text).__name__}; it must be a string")
    if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise DataError(f"{where} holds a NUL or half a surrogate pair, which no text has; remove it")
    return text
