"""The option --backend of the commands that run a model, and the threads they run on."""

import os
from typing import Literal

from jsonargparse import ArgumentParser
from threadpoolctl import threadpool_limits

from minibert.models.base import Model


def add_backend(parser: ArgumentParser, help: str = "numba: the compiled kernels; numpy: the reference") -> None:
    """Add the option. From Python the reference is the default, here it is what is fast."""
    parser.add_argument("--backend", type=Literal["numba", "numpy"], default="numba", help=help)


def compile_ahead(backend: str, dtype: str) -> None:
    """Compile in all cores what the first step would compile in one."""
    if backend == "numba":
        from minibert.kernels.ahead import compile_kernels

        compile_kernels(dtype)


def limit_kernels(backend: str, most: int | None) -> None:
    """Let the kernels use `most` threads from now on, unless NUMBA_NUM_THREADS says how many. None: all."""
    if backend == "numba" and most is not None and "NUMBA_NUM_THREADS" not in os.environ:
        import numba

        numba.set_num_threads(min(most, numba.get_num_threads()))


def blas_limits(model: Model, chosen: int = 0, most: int | None = None) -> threadpool_limits:
    """Limit the threads of NumPy's products in a `with` block: to as many as were chosen, or to what suits the model.

    That is one for a narrow model, or else `most`. None: all.

    Threads that share a small product spend their time waiting for one another, and very much of it
    when another program keeps a core busy.
    """
    own = 1 if model.config.hidden_size < 256 else most
    return threadpool_limits(chosen or own, user_api="blas")
