"""Arrays as bytes for a page: windows that hold what can be seen and what it was made of.

Everything a page shows is float32, little-endian, one array after the other in one buffer. A large array is cut into
boxes. A box takes some indices of each axis; its numbers stand in C order. The same array is stored once.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Box = tuple[tuple[int, ...], ...]  # the indices that it takes of each axis


class Stored(NamedTuple):
    """An array that a page needs, and which of its boxes."""

    array: np.ndarray
    boxes: dict[Box, None]


class Windows:
    """Collects arrays, then packs them.

    Parameters
    ----------
    limit : int
        How many indices of an axis are shown.
    picks : dict
        {length of an axis: indices to show}, for axes whose beginning is of no interest, as the vocabulary.
    """

    def __init__(self, limit: int, picks: dict[int, Sequence[int]]) -> None:
        self.limit = limit
        self.picks = {n: tuple(int(i) for i in indices[:limit]) for n, indices in picks.items() if n > limit}
        self.stored: list[Stored] = []
        self._numbers: dict[tuple, int] = {}

    def shown(self, n: int) -> tuple[int, ...]:
        """Return the indices that are shown of an axis of length n."""
        return self.picks.get(n, tuple(range(min(n, self.limit))))

    def add(self, array: Any, axes: Sequence[Sequence[int] | None] | None = None) -> int:
        """Store a box of an array, by default what is shown of it, and return the array's number.

        None for an axis takes all of it.
        """
        array = np.asarray(array)
        key = (array.shape, array.dtype.kind, array.tobytes())
        number = self._numbers.setdefault(key, len(self.stored))
        if number == len(self.stored):
            self.stored.append(Stored(array, {}))
        if axes is None:
            axes = [self.shown(n) for n in array.shape]
        pairs = zip(axes, array.shape, strict=True)
        self.stored[number].boxes[tuple(tuple(range(n)) if axis is None else tuple(axis) for axis, n in pairs)] = None
        return number

    def pack(self) -> tuple[list[dict[str, Any]], bytes]:
        """Return the description of every array, for JSON, and the buffer."""
        described, parts, offset = [], [], 0
        for array, boxes in self.stored:
            seen = [self.shown(n) for n in array.shape]
            entry = {
                **_describe(array, seen),
                "shown": [_indices(i, n) for i, n in zip(seen, array.shape, strict=True)],
            }
            entry["boxes"] = []
            for box in _needed(boxes):
                part = np.ascontiguousarray(array[np.ix_(*box)] if box else array, "<f4")
                axes = [_indices(axis, n) for axis, n in zip(box, array.shape, strict=True)]
                entry["boxes"].append({"axes": axes, "offset": offset})
                parts.append(part.tobytes())
                offset += part.size
            described.append(entry)
        return described, b"".join(parts)


def _describe(array: np.ndarray, seen: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Shape, type and the range of the numbers that are shown: the scale of the colours."""
    numbers = array[np.ix_(*seen)] if array.ndim else array
    numbers = numbers[np.isfinite(numbers)]
    least, most = (float(numbers.min()), float(numbers.max())) if numbers.size else (0.0, 0.0)
    return {"shape": list(array.shape), "dtype": array.dtype.name, "min": least, "max": most}


def _indices(axis: Sequence[int], n: int) -> int | list[int]:
    """The number of indices if they are the first ones, else the indices."""
    return len(axis) if tuple(axis) == tuple(range(len(axis))) else list(axis)


def _needed(boxes: dict[Box, None]) -> list[Box]:
    """Leave out boxes that lie in others."""
    sets = [(box, [set(axis) for axis in box]) for box in boxes]

    def inside(i: int, j: int) -> bool:
        a, b = sets[i][1], sets[j][1]
        return all(x <= y for x, y in zip(a, b, strict=True)) and (a != b or j < i)

    return [box for i, (box, _) in enumerate(sets) if not any(inside(i, j) for j in range(len(sets)) if j != i)]
