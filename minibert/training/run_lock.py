"""One run at a time in a folder: two would write into each other's log and checkpoints."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from minibert.errors import ConfigError

try:
    import fcntl
except ImportError:  # Windows: there nobody notices
    fcntl = None

LOCK = ".running"


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Let a `with` block write into a folder, if no other process does. A new folder that stays empty is removed.

    The operating system lets go of the lock when the process ends, however it ends.

    Raises
    ------
    ConfigError
        The folder cannot be written, or another process is training there.
    """
    existed, path = folder.is_dir(), folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written ({error.strerror}); choose another --output_dir") from error
    with file:
        if not _lock(file):
            raise ConfigError(f"{folder}: another process is training there; wait, or choose another --output_dir")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            if not existed and not any(folder.iterdir()):
                folder.rmdir()


def _lock(file: IO) -> bool:
    """Lock a file; return whether that could be. Where the file system knows no locks, it is taken to be free."""
    try:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True
