"""Scratch memory that is kept between calls.

Memory fresh from the operating system is slow: each page of it is cleared at its first touch. The packing buffers
of a product are a few hundred kilobytes a thread, and every call needs them; so each Python thread keeps one piece,
which grows to the largest size asked for.
"""

import threading

import numpy as np

ALIGNMENT = 64  # bytes: a cache line, and the widest vector


class _Kept(threading.local):
    def __init__(self):
        self.memory = np.empty(0, np.uint8)
        self.views = {}


_kept = _Kept()


def scratch(lanes: int, size: int, dtype: np.dtype) -> np.ndarray:
    """(lanes, size) array, uninitialised, whose first element starts a cache line.

    The next call of the same Python thread may return the same memory: use it within one call only.
    """
    key = lanes, size, dtype
    if key not in _kept.views:
        length = lanes * size * dtype.itemsize
        if length > len(_kept.memory):
            memory = np.empty(length + ALIGNMENT, np.uint8)
            _kept.memory = memory[-memory.ctypes.data % ALIGNMENT :]
            _kept.views.clear()
        _kept.views[key] = _kept.memory[:length].view(dtype).reshape(lanes, size)
    return _kept.views[key]
