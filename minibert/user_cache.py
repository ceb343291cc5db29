"""Where things are kept for the user between runs: corpora, tokens, compiled kernels."""

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """Return the user's cache of minibert: $MINIBERT_CACHE, or a folder `minibert` where the system keeps caches.

    That is $XDG_CACHE_HOME or ~/.cache, on macOS ~/Library/Caches, on Windows %LOCALAPPDATA%.
    """
    if chosen := os.environ.get("MINIBERT_CACHE"):
        return Path(chosen).expanduser()
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "minibert"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "minibert"
    if sys.platform == "win32" and (base := os.environ.get("LOCALAPPDATA")):
        return Path(base) / "minibert"
    return Path.home() / ".cache" / "minibert"
