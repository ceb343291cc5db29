"""JSON that others wrote: its value, or an error that says what is wrong with it."""

import json
import re
from typing import Any

from minibert.errors import DataError, MinibertError

MOST_VALUES = 500_000  # and keys, of a description: they take 50 MB at most
# To the end of the text where one is never closed: or each of its quotes would be tried as the beginning of one.
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_OBJECT = re.compile("[{}:]")
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")  # perhaps: of a whole pair both halves look like this


def parse(text: str, where: str, error: type[MinibertError] = DataError, most: int | None = MOST_VALUES) -> Any:
    """Return the value of a JSON text. NaN and Infinity, which Python writes, are read.

    Parameters
    ----------
    text : str
    where : str
        The file, for the message.
    error : class
        Of the error.
    most : int, optional
        How many values and keys the text may hold. None: any number. A text of empty lists takes 25 times its size.

    Raises
    ------
    MinibertError
        It is not JSON, nested without end, holds too many values, one key twice in an object, an integer of thousands
        of digits, or half a surrogate pair, which no text has.
    """
    if most is not None and _count(text) > most and (count := _count(_STRING.sub("", text))) > most:
        raise error(f"{where}: {count:,} values are too many, there may be {most:,}: is it the right file?")
    try:
        value = json.loads(text, object_pairs_hook=_unique)
        if _HALF_PAIR.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as why:
        place = where if why.lineno == 1 else f"{where}, line {why.lineno}"
        raise error(f"{place}: not valid JSON ({why.msg} at column {why.colno}); it may be cut off") from why
    except UnicodeEncodeError as why:
        raise error(f"{where}: not valid JSON (it holds half a surrogate pair, which no text has)") from why
    except RecursionError as why:
        raise error(f"{where}: not valid JSON (it is nested without end)") from why
    except ValueError as why:  # a key twice, or too many digits
        raise error(f"{where}: not valid JSON ({why})") from why
    return value


def check_widths(text: str, where: str, most: int) -> None:
    """Raise `DataError` if an object of a JSON text has more than `most` keys: the parser takes 20 times their size."""
    if text.count(":") <= most:
        return
    open_objects = [0]  # keys of each; the first is no object, but what is outside of all
    for mark in _OBJECT.finditer(_STRING.sub("", text)):
        if mark[0] == "{":
            open_objects.append(0)
        elif mark[0] == ":":
            open_objects[-1] += 1
            if open_objects[-1] > most:
                raise DataError(f"{where}: an object has more than {most:,} fields: is it the right file?")
        elif len(open_objects) > 1:
            open_objects.pop()


def _count(text: str) -> int:
    """Return the number of values and keys of a JSON text, or more: what stands inside of strings counts too."""
    return sum(map(text.count, "[{,:"))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object. Python would keep the last of several values for a key, other readers the first."""
    if len(found := dict(pairs)) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise ValueError(f"{twice!r:.100} stands in one object twice")
    return found
