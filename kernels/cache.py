"""Where compiled kernels are kept between runs: a folder of the user's cache, named after all that made them.

By itself Numba watches only the file of a kernel's outermost function: after an edit of a helper in another file it
would load the machine code of before. Here the folder's name is a hash of every source of `minibert.kernels`, so
that an edit anywhere leads to another folder. The folders of other sources go when there are too many.
"""

import functools
import hashlib
import os
import pickle
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO

import llvmlite
import numba
import numpy as np
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator

from minibert.user_cache import cache_folder

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

KEPT = 3  # folders, the one in use included


@functools.cache
def stamp() -> str:
    """Return a hash of the kernels' sources, and of the libraries that turn them into machine code."""
    digest = hashlib.sha256(f"{numba.__version__} {llvmlite.__version__} {np.__version__}".encode())
    for source in sorted(files("minibert.kernels").iterdir(), key=lambda source: source.name):
        if source.name.endswith(".py"):
            digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@functools.cache
def folder() -> Path | None:
    """Return where this process keeps its kernels: in $NUMBA_CACHE_DIR if it is set. None: nowhere can be written."""
    chosen = numba.config.CACHE_DIR
    path = (Path(chosen) / "minibert" if chosen else cache_folder()) / f"kernels-{stamp()}"
    try:
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
        os.utime(path)  # used now: others are older
    except OSError as error:
        _complain(path, error)
        return None
    forget_old(path)
    return path


def forget_old(current: Path) -> None:
    """Remove the folders of other sources beside `current`, all but the last used."""
    with suppress(OSError):  # another process may be doing the same
        others = sorted(current.parent.glob("kernels-*"), key=lambda path: path.stat().st_mtime)
        for path in [path for path in others if path != current][: -(KEPT - 1)]:
            shutil.rmtree(path, ignore_errors=True)


def _complain(path: Path | str, error: OSError) -> None:
    why = f"the compiled kernels cannot be kept there ({error.strerror or error}), so each run compiles them anew"
    print(f"minibert: {path}: {why}; set NUMBA_CACHE_DIR to a folder that can be written", file=sys.stderr)


class _Locator(_CacheLocator):
    """Tells Numba the folder, for our functions alone: the user's own stay where they are."""

    def __init__(self, function: Callable, file: str) -> None:
        self._py_file = file
        self._line = function.__code__.co_firstlineno

    @classmethod
    def from_function(cls, function: Callable, file: str) -> "_Locator":
        return cls(function, file)

    def get_cache_path(self) -> str:
        return str(folder())

    def get_source_stamp(self) -> str:
        return stamp()

    def get_disambiguator(self) -> str:
        return str(self._line)


class _Files(CompileResultCacheImpl):
    _locator_classes = (_Locator,)


class KernelCache(FunctionCache):
    """Numba's own cache of one function, in our folder. A file that is damaged or cannot be written does no harm."""

    _impl_class = _Files

    def load_overload(self, signature: Any, target: Any) -> Any:
        """Return the compiled function, or None if there is none."""
        try:
            return super().load_overload(signature, target)
        except (OSError, EOFError, pickle.UnpicklingError, ValueError):  # half a file: the disk was full
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, signature: Any, result: Any) -> None:
        """Keep a compiled function, if the disk has room for it."""
        try:
            super().save_overload(signature, result)
        except OSError as error:
            _complain(self.cache_path, error)


@contextmanager
def turn(name: str, wait: bool = True) -> Iterator[bool]:
    """Let one process at a time compile a kernel; the others wait, and find it in the cache.

    Yields whether it is our turn: False if another process is at it and we do not `wait`. A process that dies lets
    go. Where files cannot be locked every process compiles for itself, which is slower and as correct.
    """
    try:
        file = open(folder() / f"{name}.lock", "wb") if fcntl and folder() else None  # noqa: SIM115
    except OSError:
        file = None
    with file or nullcontext():
        yield _lock(file, wait) if file else True


def _lock(file: BinaryIO, wait: bool) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
