"""Compile all kernels of the numba backend, for example in CI or when a container is built.

`minibert pretrain` does the same when it has to; what was compiled once is kept in the user's cache.
"""

import time
from typing import Any, Literal

from jsonargparse import ArgumentParser

from minibert.errors import ConfigError


def add_arguments(parser: ArgumentParser) -> None:
    """Add what to compile."""
    parser.add_argument("--dtype", type=Literal["float32", "float64"], default="float32", help="of the arrays")
    parser.add_argument("--workers", type=int, default=0, help="processes to compile in (0: one a core, up to four)")


def run(args: dict[str, Any]) -> None:
    """Compile or load, and say where the result is."""
    if args["workers"] < 0:
        raise ConfigError(f"--workers must not be negative, but is {args['workers']}")
    from minibert.kernels.ahead import compile_kernels
    from minibert.kernels.cache import folder

    start = time.perf_counter()
    number = compile_kernels(args["dtype"], args["workers"] or None)
    print(f"{number} kernels for {args['dtype']} ready after {time.perf_counter() - start:.1f} s, in {folder()}")
