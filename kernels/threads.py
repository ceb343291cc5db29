"""The threads that run the loops: Numba's, which come in three kinds ("threading layers").

    tbb        may be used by several Python threads at once, and after a fork; needs the package tbb
    omp        by several Python threads at once; GNU's, that of Linux, ends the process if it is used after a fork
    workqueue  after a fork; ends the process if two Python threads use it at once

Numba takes the first that is there, which is the order we want; NUMBA_THREADING_LAYER chooses another. Here the last
two lose their sting: one Python thread at a time runs a loop on `workqueue`, and a loop that would end a forked
process raises an error instead. The user's own parallel Numba functions know nothing of this.
"""

import os
import threading
from collections.abc import Callable
from typing import Any

import numba

from minibert.errors import BackendError

if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "30000")  # OpenMP reads it when it is loaded, at the first loop

_turn = threading.Lock()
_started_in: int | None = None  # the process that started threads which a fork does not survive


def one_at_a_time(loop: Callable) -> Callable:
    """Start the threads; return `loop`, or on workqueue a `loop` for which Python threads queue up."""
    global _started_in
    numba.get_num_threads()  # starts them
    layer = numba.threading_layer()
    if layer == "omp" and _is_gnu():
        _started_in = os.getpid()
    if layer != "workqueue":
        return loop

    def in_turn(*args) -> None:
        with _turn:
            loop(*args)

    return in_turn


def run_on(count: int, allowed: int, loop: Callable, *args: Any) -> None:
    """Run a loop on `count` of the threads that are `allowed`: waking more takes longer than a small loop."""
    if count >= allowed:
        loop(*args)
        return
    numba.set_num_threads(count)
    try:
        loop(*args)
    finally:
        numba.set_num_threads(allowed)


def check_fork() -> None:
    """Raise if the threads were started before this process was forked.

    Raises
    ------
    BackendError
        If GNU OpenMP, which the kernels run on, would end this process.
    """
    if _started_in not in (None, os.getpid()):
        raise BackendError(
            "this process was forked from one that had used the numba backend, whose threads do not survive that: "
            'start processes with multiprocessing\'s "spawn" or "forkserver", or use the numpy backend here'
        )


def _is_gnu() -> bool:
    from numba.np.ufunc import omppool

    return omppool.openmp_vendor == "GNU"
