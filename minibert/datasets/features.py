"""What a column holds: plain values, classes with names, or a list of either in each row."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from minibert.errors import ConfigError, DataError
from minibert.fields import short

LOOKED_AT = 100  # rows that tell the type of a column


@dataclass(frozen=True)
class Value:
    """Strings, numbers or booleans: "string", "int64", "float64", "bool"; "null" of nothing, "mixed" of several."""

    dtype: str


class ClassLabel:
    """Classes: integers 0..C-1 with names.

    Parameters
    ----------
    names : list of str
    num_classes : int
        Instead of names: they are "0", "1", ...
    """

    def __init__(self, names: Iterable[str] | None = None, num_classes: int | None = None) -> None:
        if (names is None) == (num_classes is None):
            raise ConfigError("a ClassLabel needs either names or num_classes")
        self.names = [str(i) for i in range(num_classes)] if names is None else [str(name) for name in names]
        self._index = {name: i for i, name in enumerate(self.names)}
        # The classes 1 .. 5 have the numbers 0 .. 4: then a label 0 is no class, and 1 is the first.
        self._named_by_numbers = all(name.removeprefix("-").isdecimal() for name in self.names)
        if not self.names or len(self._index) < len(self.names):
            raise ConfigError(f"classes need names, each another one; got {self.names}")

    @property
    def num_classes(self) -> int:
        """C."""
        return len(self.names)

    def int2str(self, number: int) -> str:
        """Return the name of a class. Raises `DataError` if it is out of range."""
        if not 0 <= number < self.num_classes:
            raise DataError(f"{number!r} is no class: it must be within 0..{self.num_classes - 1}")
        return self.names[number]

    def str2int(self, name: str) -> int:
        """Return the number of a class. Raises `DataError` if no class has that name; it tells those that there are."""
        if name not in self._index:
            raise DataError(f"{name!r} is none of the {self.num_classes} classes: {_some(self.names)}")
        return self._index[name]

    def encode(self, value: Any) -> int:
        """Return the number of a class given by name or number. Raises `DataError` if it is missing or unknown."""
        if value is None or value == "":
            raise DataError("the label is missing")
        if isinstance(value, str) or self._named_by_numbers or str(value) in self._index:
            return self.str2int(str(value))
        if not isinstance(value, int) or not 0 <= value < self.num_classes:
            raise DataError(f"{value!r} is no class: it must be within 0..{self.num_classes - 1}")
        return int(value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClassLabel) and other.names == self.names

    def __hash__(self) -> int:
        return hash(tuple(self.names))

    def __repr__(self) -> str:
        return f"ClassLabel(names={self.names})"


@dataclass(frozen=True)
class Sequence:
    """A list in each row, its entries of type `feature`."""

    feature: Feature


Feature = Value | ClassLabel | Sequence | dict


def infer(column: list) -> Feature:
    """Return what a column seems to hold, by its first 100 entries that are not missing."""
    values = [value for value in column[:LOOKED_AT] if value is not None]
    if not values:
        return Value("null")
    kinds = {type(value) for value in values}
    if kinds <= {list, tuple}:
        return Sequence(infer([entry for value in values for entry in value[:LOOKED_AT]]))
    if kinds == {dict}:
        return {key: infer([value.get(key) for value in values]) for key in values[0]}
    names = {str: "string", bool: "bool", int: "int64", float: "float64"}
    if kinds == {int, float}:
        return Value("float64")
    return Value(names.get(kinds.pop(), "mixed") if len(kinds) == 1 else "mixed")


def encode(feature: ClassLabel | Sequence, value: Any) -> Any:
    """Return class names as numbers, in lists too."""
    if isinstance(feature, ClassLabel):
        return feature.encode(value)
    if value is None:
        raise DataError("the list of labels is missing")
    if not isinstance(value, list | tuple):
        raise DataError(f"{short(value)} is no list of labels")
    return [encode(feature.feature, entry) for entry in value]


def decode(feature: ClassLabel | Sequence, value: Any) -> Any:
    """Return numbers of classes as names, in lists too."""
    if isinstance(feature, ClassLabel):
        return feature.int2str(value)
    return [decode(feature.feature, entry) for entry in value]


def classes_of(values: list, column: str) -> ClassLabel | Sequence:
    """Return the classes that occur in a column, sorted; numbers as numbers.

    If a row is a list, all must be, which encoding them finds out.
    """
    lists = [value for value in values if isinstance(value, list | tuple)]
    entries = [entry for value in lists for entry in value] if lists else values
    for entry in entries:
        if isinstance(entry, float | tuple) or not isinstance(entry, Hashable):
            raise DataError(f"column {column!r} holds {short(entry)}: classes are strings or integers")
    found = {entry for entry in entries if entry not in (None, "")}
    if not found:
        raise DataError(f"column {column!r} holds no label")
    classes = ClassLabel(sorted(found, key=lambda value: (isinstance(value, str), value)))
    return Sequence(classes) if lists else classes


def _some(names: list[str]) -> str:
    return ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
