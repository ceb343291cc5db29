"""Scratch memory that is kept between calls.

Memory fresh from the operating system is slow: each page of it is cleared at its first touch. The packing buffers
of a product are a few hundred kilobytes a thread, and every call needs them; so each Python thread keeps one piece,
which grows to the largest size asked for.
"""

import threading
from collections import defaultdict

import numpy as np

ALIGNMENT = 64  # bytes: a cache line, and the widest vector


class _Memory(threading.local):
    """For each purpose a piece of memory, and the arrays that were made of it."""

    def __init__(self):
        self.pieces = {}
        self.views = defaultdict(dict)


_kept = _Memory()


def scratch(lanes: int, size: int, dtype: np.dtype, purpose: str = "") -> np.ndarray:
    """(lanes, size) array, uninitialised, whose first element starts a cache line.

    The next call for the same purpose in the same Python thread may return the same memory: use it within one call
    only.
    """
    views, key = _kept.views[purpose], (lanes, size, dtype)
    if key not in views:
        length = lanes * size * dtype.itemsize
        if length > len(_kept.pieces.get(purpose, b"")):
            memory = np.empty(length + ALIGNMENT, np.uint8)
            _kept.pieces[purpose] = memory[-memory.ctypes.data % ALIGNMENT :]
            views.clear()
        views[key] = _kept.pieces[purpose][:length].view(dtype).reshape(lanes, size)
    return views[key]
