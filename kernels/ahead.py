"""Compiling every kernel before the first step, in several processes.

Numba compiles one function at a time in a process. So a process for each core walks through the same list, leaves out
what another is busy with, and puts what it made into the cache, from which this one takes it in the end. Kernels with
many arguments come first: they take longest, and should not be what everybody waits for.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from minibert.kernels.cache import folder
from minibert.kernels.compile import KERNELS, Kernel

WORKERS = 4  # at most: the longest kernel alone takes a quarter of the time, and each needs 250 MB of memory


def compile_kernels(dtype: np.dtype | str = "float32", workers: int | None = None) -> int:
    """Compile every kernel for a dtype, or load it from the cache. Return how many there are.

    Parameters
    ----------
    dtype : np.dtype or str
        float32 or float64.
    workers : int, optional
        Processes to compile in, this one included. None: one a core, at most four.

    Raises
    ------
    TypeError
        If there are no kernels for the dtype.
    """
    dtype = np.dtype(dtype)
    kernels = longest_first(dtype)
    with helpers(dtype, _missing(dtype) * ((workers or min(WORKERS, _cores())) - 1)):
        compile_free(dtype, kernels)
        for kernel in kernels:
            kernel(dtype)  # what others are busy with: wait for it
    if folder() is not None:
        _mark(dtype).touch()
    return len(kernels)


def longest_first(dtype: np.dtype) -> list[Kernel]:
    """Return every kernel, by falling number of arguments."""
    return sorted(KERNELS, key=lambda kernel: -len(kernel.signature(dtype).args))


def compile_free(dtype: np.dtype, kernels: list[Kernel]) -> None:
    """Compile or load each kernel that no other process is compiling."""
    for kernel in kernels:
        kernel.prepare(dtype, wait=False)


@contextmanager
def helpers(dtype: np.dtype, count: int) -> Iterator[None]:
    """Let `count` other processes compile with us inside a `with` block. One that fails leaves its work to us."""
    command = [sys.executable, "-m", "minibert.kernels.ahead", dtype.name]
    silent = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    processes = [subprocess.Popen(command, **silent) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
            process.wait()


def _mark(dtype: np.dtype) -> Path:
    """The file that says that all kernels of a dtype are in the cache."""
    return folder() / f"{dtype.name}.complete"


def _missing(dtype: np.dtype) -> bool:
    """Whether helpers could leave us something in the cache."""
    return folder() is not None and not _mark(dtype).exists()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    dtype = np.dtype(sys.argv[1])
    compile_free(dtype, longest_first(dtype))
