"""Keeping freed memory, so that a training step finds its arrays where the last step left them.

A step makes the same arrays as the step before, a few megabytes each. By default the C library asks the operating
system for each of them and gives it back when it is freed; fresh memory comes as pages that are cleared at their
first touch, one interrupt for every 4 KiB. On small models that is a quarter of the step. glibc can be told to keep
what was freed; other C libraries are left as they are.
"""

import ctypes
import platform

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # names and numbers of glibc's malloc.h
NEVER_TRIM = 2**31 - 1  # bytes free at the end of the heap before any is given back
LARGEST_KEPT = 2**30  # bytes; a larger array still comes from the operating system, and goes back


def keep_freed_memory() -> bool:
    """Tell the C library to keep freed memory for the next array. Return whether it could be told."""
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT)) and bool(mallopt(M_TRIM_THRESHOLD, NEVER_TRIM))
