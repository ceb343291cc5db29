"""A dataclass out of a JSON object that others wrote: are all its fields there, and of the types that it declares?"""

import types
from dataclasses import fields
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from minibert.errors import CheckpointError, MinibertError

WORDS = {int: "an integer", float: "a number", bool: "true or false", str: "a text"}
LARGEST_INTEGER = 2**63 - 1
LARGEST_FLOAT = 2**1023  # an integer above it has no float

T = TypeVar("T")


def from_json(
    cls: type[T],
    values: Any,
    where: str,
    error: type[MinibertError] = CheckpointError,
    more: bool = False,
) -> T:
    """Return `cls(**values)`.

    Parameters
    ----------
    cls : dataclass
    values : object
        A JSON object; what it lacks has its default.
    where : str
        The file, for the message.
    error : class
        Of the error.
    more : bool
        Fields that `cls` does not know are left out, because other software may write them.

    Raises
    ------
    MinibertError
        Of the class `error`: a field is missing, unknown, or of another type.
    """
    if not isinstance(values, dict):
        raise error(f"{where}: expected a JSON object, found {type(values).__name__}")
    kinds = get_type_hints(cls)
    known = {field.name: kinds[field.name] for field in fields(cls)}
    if not more and (unknown := values.keys() - known):
        raise error(f"{where}: has a field {min(unknown)!r:.100}, which is not known here")
    values = {name: value for name, value in values.items() if name in known}
    for name, value in values.items():
        check_type(name, value, known[name], where, error)
    try:
        return cls(**values)
    except TypeError as why:  # a field without default
        raise error(f"{where}: not all fields are there ({str(why).partition(': ')[2] or why})") from why


def check_type(name: str, value: Any, kind: Any, where: str, error: type[MinibertError] = CheckpointError) -> None:
    """Raise `error` if a value out of JSON is not of a type such as `int`, `list[str]` or `float | None`."""
    if not fits(value, kind):
        raise error(f"{where}: {name} must be {WORDS.get(kind, kind)}, but is {short(value)}")


def fits(value: Any, kind: Any) -> bool:
    """Return whether a value out of JSON is of a type. An integer of more than 64 bits is of none."""
    inner = get_args(kind)
    if kind is Any:
        return True
    if get_origin(kind) in (Union, types.UnionType):
        return any(fits(value, each) for each in inner)
    if get_origin(kind) is list:
        return isinstance(value, list) and all(fits(entry, inner[0]) for entry in value)
    if get_origin(kind) is dict:
        return isinstance(value, dict) and all(fits(entry, inner[1]) for entry in value.values())
    if kind is float:
        return type(value) is float or (type(value) is int and abs(value) < LARGEST_FLOAT)
    return type(value) is kind and (kind is not int or abs(value) <= LARGEST_INTEGER)


def short(value: object) -> str:
    """Return `value` for a message: a file may hold a text or a number of any length."""
    try:
        text = repr(value)
    except ValueError:  # Python does not write out integers of thousands of digits
        return "an integer of thousands of digits"
    return text if len(text) <= 80 else f"{text[:77]}..."
