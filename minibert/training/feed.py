"""Batches without end that know where they are, so that a run can go on from there."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import numpy as np

from minibert.errors import DataError

Item = TypeVar("Item")


class Feed(Iterator[Item], Generic[Item]):
    """What one epoch yields after another.

    An epoch is the same whenever it is asked for, so a place is two numbers: the epoch, and how much of it was taken.
    To go there, what was taken is made once more and dropped; no state of a random generator is needed.

    Parameters
    ----------
    epoch : callable
        Number of the epoch, from 0 -> its batches, or whatever else is taken one by one.
    """

    def __init__(self, epoch: Callable[[int], Iterator[Item]]) -> None:
        self._read = epoch
        self._start(0)

    def __next__(self) -> Item:
        for item in self._items:
            self.taken, self._last = self.taken + 1, item
            return item
        self._start(self.epoch + 1)
        return next(self)

    def place(self) -> dict[str, Any]:
        """Return {"epoch", "taken", "sha256"}; the last, of what was taken last, tells whether data have changed."""
        return {"epoch": self.epoch, "taken": self.taken, "sha256": digest(self._last)}

    def go_to(self, place: dict[str, Any], same: bool = True) -> None:
        """Go to a place. If data must be the `same`, raise `DataError` if what was taken last is not what it was."""
        self._start(place["epoch"])
        while self.taken < place["taken"] and self.epoch == place["epoch"]:
            next(self)
        if same and self.place() != place:
            raise DataError(
                f"the data are not those of the run: batch {place['taken']} of epoch {place['epoch']} is another one; "
                "give what the run was started with, or allow the change (--allow_change)"
            )

    def _start(self, epoch: int) -> None:
        self.epoch, self.taken, self._last = epoch, 0, None
        self._items = iter(self._read(epoch))


def digest(value: Any) -> str:
    """Return the sha256 of arrays, numbers and texts in dicts and lists."""
    total = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, dict):
            add(list(value.items()))
        elif isinstance(value, (list, tuple)):
            total.update(f"[{len(value)}".encode())
            for part in value:
                add(part)
        elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
            total.update(f"{value.dtype}{value.shape}".encode())
            total.update(value.tobytes())
        else:
            total.update(repr(value).encode())

    add(value)
    return total.hexdigest()
