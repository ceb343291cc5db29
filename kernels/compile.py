"""How the loops over rows are compiled: flags, argument types, one machine-code version a dtype.

A plain `@njit` compiles again for every combination of read-only and writable, contiguous and strided arguments, a
second or more each time. Here each loop states its types once, and is compiled on first use for float32 or float64.
"""

import functools
import math
import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from minibert.kernels import cache, progress, threads
from numba import njit, types
from numba.extending import intrinsic, register_jitable

# Sums may be reordered (which is what lets them run in vector lanes) and a * b + c may become one instruction.
# NaN and infinity keep their meaning: masks and diverged runs depend on it.
FAST = {"contract", "reassoc", "nsz"}

FLOATS = {np.dtype(np.float32): types.float32, np.dtype(np.float64): types.float64}

# For a function that is a part of a kernel. It is compiled apart first, once for each type of its arguments, so pass it
# few kinds of arguments. Without entry points for Python, which nobody calls, that takes a fifth less time.
part = functools.partial(njit, forceinline=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
inline = part(fastmath=FAST)


KERNELS: list["Kernel"] = []  # every parallel loop of the package
_building = threading.RLock()


class Kernel:
    """A parallel loop: `kernel(dtype)` is its machine code, compiled on first use or loaded from the cache.

    Parameters
    ----------
    function : Callable
        The loop.
    signature : Callable
        dtype (np.dtype)  ->  the Numba types of the loop's arguments.
    **options
        For Numba.
    """

    def __init__(self, function: Callable, signature: Callable, **options: Any) -> None:
        self.function, self.signature, self.options = function, signature, options
        self.name = f"{function.__module__.rpartition('.')[2]}.{function.__name__.strip('_')}"
        self.ready: dict[np.dtype, Callable] = {}
        KERNELS.append(self)

    def __call__(self, dtype: np.dtype) -> Callable:
        """Return the machine code for a dtype.

        Raises
        ------
        TypeError
            If the dtype is neither float32 nor float64.
        BackendError
            If this process was forked from one whose threads are lost here.
        """
        try:
            return self.ready[dtype]
        except KeyError:
            return self.prepare(np.dtype(dtype))

    def prepare(self, dtype: np.dtype, wait: bool = True) -> Callable | None:
        """Compile or load it. None, if another process is compiling it at this moment and we do not `wait`."""
        if dtype not in FLOATS:
            raise TypeError(f"the compiled kernels work on float32 and float64, but the array is {dtype}")
        threads.check_fork()
        with _building, cache.turn(self.name, wait) as ours:
            if ours and dtype not in self.ready:
                self.ready[dtype] = threads.one_at_a_time(self._build(dtype))
        return self.ready.get(dtype)

    def _build(self, dtype: np.dtype) -> Callable:
        built = njit(parallel=True, **self.options)(self.function)
        if cache.folder() is not None:
            built._cache = cache.KernelCache(self.function)  # what njit's cache=True does, in a folder of ours
        number = 1 + sum(dtype in kernel.ready for kernel in KERNELS)
        with progress.watch(built, self.name, number, len(KERNELS)):
            built.compile(self.signature(dtype))
        built.disable_compile()
        return built


def _forget() -> None:
    """In a forked process: look at each kernel anew, and find that its threads are lost."""
    for kernel in KERNELS:
        kernel.ready.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def compiled(function: Callable) -> Callable:
    """Make a `Kernel` of a loop: decorates the function that returns its signature for a dtype."""
    return functools.partial(Kernel, function)


def kernel(arguments: str) -> Callable:
    """Make a `Kernel` of the loop that it decorates.

    Parameters
    ----------
    arguments : str
        One word an argument. `r2`: an array of the dtype with 2 axes, contiguous, only read; `w2`: written.
        `i2`: an array of int64, only read; `o2`: of int64, written; `d2`: of float64, written.
        `f`, `i`, `u`: a Python float, an int, a uint32.
    """

    def signature(dtype: np.dtype) -> types.Type:
        return types.void(*(_type(word, FLOATS[dtype]) for word in arguments.split()))

    return lambda function: Kernel(function, signature, fastmath=FAST, error_model="numpy")


def _type(word: str, item: types.Type) -> types.Type:
    if len(word) == 1:
        return {"f": types.float64, "i": types.int64, "u": types.uint32}[word]
    element = {"i": types.int64, "o": types.int64, "d": types.float64}.get(word[0], item)
    return types.Array(element, int(word[1]), "C", readonly=word[0] in "ri")


def as_rows(x: np.ndarray) -> np.ndarray:
    """x (..., D)  ->  (N, D), contiguous: a strided array is copied."""
    return np.ascontiguousarray(x).reshape(math.prod(x.shape[:-1]), x.shape[-1])


@intrinsic
def compiled_once(typingctx):
    """Forbid LLVM to paste the function that says this into its callers: it would optimise each copy anew."""

    def codegen(context, builder, signature, args):
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), codegen


@register_jitable
def tasks(n: int, chunk: int) -> int:
    """How many tasks of at most `chunk` rows (or elements) there are in n."""
    return -(-n // chunk)
