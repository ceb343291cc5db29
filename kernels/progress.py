"""What the user sees while kernels are compiled: one line on standard error, and nothing when none has to be.

On a terminal the line says which kernel it is, and is gone afterwards. In a file it is written once a process.
MINIBERT_QUIET=1 turns it off.
"""

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from numba.core import event

HINT = "compiling the kernels, up to a minute, only the first time"
_announced = False


def quiet() -> bool:
    """Whether the user wants to read nothing."""
    return sys.stderr is None or os.environ.get("MINIBERT_QUIET", "0") not in ("", "0")


class _Listener(event.Listener):
    """Numba tells it when a function is compiled; when it comes from the cache, nothing is said."""

    def __init__(self, function: Callable, text: str) -> None:
        self.function, self.text = function, text

    def on_start(self, started: event.Event) -> None:
        global _announced
        if started.data["dispatcher"] is not self.function:  # a part of it, or another thread's
            return
        if _terminal():
            print(f"\r\x1b[K{HINT}: {self.text}", end="", file=sys.stderr, flush=True)
        elif not _announced:
            print(f"{HINT} ...", file=sys.stderr, flush=True)
        _announced = True

    def on_end(self, ended: event.Event) -> None:
        if ended.data["dispatcher"] is self.function and _terminal():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def watch(function: Callable, name: str, number: int, total: int) -> AbstractContextManager:
    """Show it if `function`, the `number`-th of at most `total`, is compiled inside a `with` block."""
    if quiet():
        return nullcontext()
    return event.install_listener("numba:compile", _Listener(function, f"{name} ({number} of at most {total})"))


def _terminal() -> bool:
    return sys.stderr.isatty()
