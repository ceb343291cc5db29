"""The option --backend of the commands that run a model, and the threads they run on."""

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


def blas_limits(model: Model, chosen: int = 0) -> threadpool_limits:
    """Limit the threads of NumPy's products in a `with` block: to as many as were chosen, or to what suits the model.

    Threads that share a small product spend their time waiting for one another, and very much of it
    when another program keeps a core busy.
    """
    own = 1 if model.config.hidden_size < 256 else None
    return threadpool_limits(chosen or own, user_api="blas")
