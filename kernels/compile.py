"""How the loops over rows are compiled: flags, argument types, one machine-code version a dtype.

A plain `@njit` compiles again for every combination of read-only and writable, contiguous and strided arguments, a
second or more each time. Here each loop states its types once, and is compiled on first use for float32 or float64.
"""

import functools
import math
from collections.abc import Callable

import numpy as np
from numba import njit, types
from numba.extending import intrinsic, register_jitable

# Sums may be reordered (which is what lets them run in vector lanes) and a * b + c may become one instruction.
# NaN and infinity keep their meaning: masks and diverged runs depend on it.
FAST = {"contract", "reassoc", "nsz"}

# For a function that is a part of a kernel. It is compiled apart first, once for each type of its arguments, so pass it
# few kinds of arguments. Without entry points for Python, which nobody calls, that takes a fifth less time.
part = functools.partial(njit, forceinline=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
inline = part(fastmath=FAST)


def kernel(arguments: str) -> Callable:
    """Make a parallel loop out of a function: `loop(dtype)(...)` compiles it on first use, or loads it from the cache.

    Parameters
    ----------
    arguments : str
        One word an argument. `r2`: an array of the dtype with 2 axes, contiguous, only read; `w2`: written.
        `i2`: an array of int64, only read; `o2`: of int64, written; `d2`: of float64, written.
        `f`, `i`, `u`: a Python float, an int, a uint32.
    """

    def decorate(function: Callable) -> Callable:
        @functools.cache
        def loop(dtype: np.dtype) -> Callable:
            item = {np.dtype(np.float32): types.float32, np.dtype(np.float64): types.float64}.get(np.dtype(dtype))
            if item is None:
                raise TypeError(f"the compiled kernels work on float32 and float64, but the array is {dtype}")
            signature = types.void(*(_type(word, item) for word in arguments.split()))
            return njit(signature, parallel=True, cache=True, fastmath=FAST, error_model="numpy")(function)

        return loop

    return decorate


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
