"""What a test of a reader consists of."""

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from hostile.damage import JSON_TEXTS, labelled, no_files

# With these a file is not there, which is all right where it need not be.
NOT_THERE = ["missing", "a folder", "a pipe", "a link to nothing", "a link to itself", "a link to a folder"]
NOT_THERE += ["a link to /dev/zero", "a link to /dev/null"]
LINK_OUT = "a link to a good one out of the folder"
LONG = "8 MiB of white space, then the content"

Change = Callable[[Path], Any]  # makes a good folder a bad one


@dataclass
class Reader:
    """One kind of input.

    Parameters
    ----------
    make : callable
        Writes a good one into a folder.
    read : callable
        (folder, name of the file that was changed) -> opens what is in the folder, and raises `AssertionError` if what
        comes out is not well-formed.
    files : list of str
        Those that are changed at random.
    by_hand : dict
        {name: (name of the file, change)}: refused, but for those of `accepted`.
    accepted : dict
        {name of a case by hand: why it is read and not refused}.
    swaps : dict
        The same as `by_hand` for hostile values at each place of a description. Some are as good as what they
        replace, and others concern other software: they are refused, or what is read is well-formed.
    seal : callable, optional
        What follows every second change at random: it makes the sums fit again that would tell of it.
    inside : collection of str, optional
        Those of the files that other files name: they must lie in the folder, and may not be links out of it.
    """

    make: Callable[[Path], Any]
    read: Callable[[Path, str], Any]
    files: list[str]
    by_hand: dict[str, tuple[str, Change]] = field(default_factory=dict)
    accepted: dict[str, str] = field(default_factory=dict)
    swaps: dict[str, tuple[str, Change]] = field(default_factory=dict)
    seal: Change | None = None
    inside: Collection[str] = ()

    def __post_init__(self) -> None:
        """Each file that a user names may be a link; what it leads to must be a good one."""
        for name in self.files:
            self.by_hand[f"{name}: {LINK_OUT}"] = name, partial(move_out, name=name)
            if name not in self.inside:
                self.accepted[f"{name}: {LINK_OUT}"] = "a link that the user has is followed"


def move_out(folder: Path, name: str) -> None:
    """Put a file beside the folder, and a link to it in its place."""
    target = folder.with_name("moved-out")
    (folder / name).replace(target)
    (folder / name).symlink_to(target)


def bytes_in(name: str, data: bytes | Callable[[bytes], bytes]) -> tuple[str, Change]:
    """A case: the file holds something else, bytes, or what a function makes of those that it should hold."""

    def change(folder: Path) -> None:
        path = folder / name
        path.write_bytes(data(path.read_bytes()) if callable(data) else data)

    return name, change


def entry_in(name: str, key: str, value: Any) -> tuple[str, Change]:
    """A case: an entry of a JSON object has another value."""
    return bytes_in(name, lambda good: json.dumps({**json.loads(good), key: value}).encode())


def json_cases(*names: str) -> Iterator[tuple[str, tuple[str, Change]]]:
    """Yield the cases of files that should hold a JSON object."""
    for name in names:
        for what, make in JSON_TEXTS.items():
            yield f"{name}: {what}", bytes_in(name, make)
        yield from file_cases(name)


def swaps(folder: Path, name: str, *more: str) -> Iterator[tuple[str, tuple[str, Change]]]:
    """Yield the cases of a JSON object with hostile values; `more` are keys that it does not have."""
    good = json.loads((folder / name).read_bytes())
    for key in (*good, *more):
        for label, value in labelled().items():
            yield f"{name}: {key} = {label}", entry_in(name, key, value)


def file_cases(*names: str) -> Iterator[tuple[str, tuple[str, Change]]]:
    """Yield the cases in which something else is in the place of a file."""
    for name in names:
        for what in no_files(Path()):
            yield f"{name}: {what}", (name, lambda folder, n=name, w=what: no_files(folder / n)[w]())
