"""The option --backend of the commands that run a model."""

from typing import Literal

from jsonargparse import ArgumentParser


def add_backend(parser: ArgumentParser, help: str = "numba: the compiled kernels; numpy: the reference") -> None:
    """Add the option. From Python the reference is the default, here it is what is fast."""
    parser.add_argument("--backend", type=Literal["numba", "numpy"], default="numba", help=help)


def compile_ahead(backend: str, dtype: str) -> None:
    """Compile in all cores what the first step would compile in one."""
    if backend == "numba":
        from minibert.kernels.ahead import compile_kernels

        compile_kernels(dtype)
