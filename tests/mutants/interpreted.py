"""The kernels as plain Python, so that a changed line takes effect at once: nothing is compiled.

Import this before `minibert.kernels`. The loops are the sources of the kernels. What is not Python in them has a
stand-in here: the primitives that emit LLVM instructions, and e**x and its kin, which are no part of a backward pass.
"""

import ctypes
import inspect
import os
import sys

os.environ["NUMBA_DISABLE_JIT"] = "1"  # @njit returns its function
os.environ["NUMBA_NUM_THREADS"] = "1"
os.environ["NUMBA_CPU_FEATURES"] = ""  # the smallest register tile, 4 x 4: so small arrays have many, and edges

import numba
import numba.extending
import numpy as np
import scipy.special
from numpy.lib.stride_tricks import as_strided


def row(dtype, at, count):
    """The numbers at an address, as an array that owns nothing."""
    dtype = np.dtype(dtype)
    if count <= 0:
        return np.empty(0, dtype)
    return np.frombuffer((ctypes.c_char * (int(count) * dtype.itemsize)).from_address(int(at)), dtype)


def _matrix(dtype, at, shape, strides):
    return as_strided(row(dtype, at, 1), shape, [int(s) for s in strides])


def _store(dtype, at, value):
    row(dtype, at, 1)[0] = value


def _fetch_add(array):
    array[0] += 1
    return int(array[0] - 1)


def _multiply_tile(dtype, a, a_row, a_column, panel, kc, c, c_row, add):
    tile = _tile(dtype)
    target = _matrix(dtype, c, (tile.rows, tile.columns), (c_row, dtype.itemsize))
    product = np.zeros(target.shape, dtype)
    if kc > 0:
        product = _matrix(dtype, a, (tile.rows, kc), (a_row, a_column)) @ row(dtype, panel, kc * tile.columns).reshape(
            kc, -1
        )
    target[...] = target + product if add else product


def _add_rows(dtype, panel, kc, sums):
    columns = _tile(dtype).columns
    row(dtype, sums, columns)[:] += row(dtype, panel, kc * columns).reshape(kc, columns).sum(0)


def _transpose_lanes(dtype, source, source_row, target, target_row):
    shape = 2 * (_tile(dtype).lanes,)
    _matrix(dtype, target, shape, (target_row, dtype.itemsize))[...] = _matrix(
        dtype, source, shape, (source_row, dtype.itemsize)
    ).T.copy()


def _tile(dtype):
    from minibert.kernels.microkernel import host_tile

    return host_tile(str(dtype))


def _constant(of_tile):
    return lambda dtype: of_tile(_tile(dtype))


def _move(count_of_tile):
    def move(dtype, source, target):
        count = count_of_tile(_tile(dtype))
        row(dtype, target, count)[...] = row(dtype, source, count).copy()

    return move


def _polynomial(float32, float64):
    return lambda x: np.polynomial.polynomial.polyval(x, float32 if x.dtype == np.float32 else float64).astype(x.dtype)


PRIMITIVES = {
    "address": lambda array: array.__array_interface__["data"][0],
    "load": lambda dtype, at: row(dtype, at, 1)[0],
    "store": _store,
    "prefetch": lambda at: None,
    "fetch_add": _fetch_add,
    "_void_pointer": lambda at: at,
    "compiled_once": lambda: None,
    "exp_negative": np.exp,
    "_greater": max,
    "add_rows": _add_rows,
    "multiply_tile": _multiply_tile,
    "transpose_lanes": _transpose_lanes,
    "_power_of_two": None,  # of exp alone
}
FACTORIES = {"constant": _constant, "move": _move, "polynomial": _polynomial}  # of functions that differ by constants
FUNCTIONS = {
    "row": row,
    "exp": np.exp,
    "tanh": np.tanh,
    "erf": scipy.special.erf,
    "sigmoid": scipy.special.expit,
    "scaled_erfc": scipy.special.erfcx,
}


def _intrinsic(function):
    if function.__name__ in FACTORIES:
        return FACTORIES[function.__name__](**inspect.getclosurevars(function).nonlocals)
    return PRIMITIVES[function.__name__]


def _overload(stub, **_):
    """The function that raises "for compiled code only" does what its typed version would."""

    def decorate(typed):
        name = f"_{stub.__name__}_{id(typed)}"
        stub.__globals__[name] = lambda x: typed(numba.typeof(x))(x)
        stub.__code__ = compile(f"lambda x: {name}(x)", __file__, "eval").co_consts[0]
        return typed

    return decorate


def load():
    """Import the kernels, and replace what is not Python in them."""
    numba.extending.intrinsic, numba.extending.overload = _intrinsic, _overload
    from minibert.kernels import attention_plan, compile, memory, vector_math

    attention_plan.ROWS = attention_plan.COLUMNS = 4  # many tiles and blocks of keys

    originals = {
        vars(module)[name]: new
        for module in (memory, vector_math)
        for name, new in FUNCTIONS.items()
        if name in vars(module)
    }
    for module in [m for n, m in sys.modules.items() if n.startswith("minibert.kernels")]:
        for name, value in list(vars(module).items()):
            if inspect.isfunction(value) and value in originals:
                setattr(module, name, originals[value])
    compile.Kernel.__call__ = lambda self, dtype: self.function
    np.seterr(all="ignore")  # hashes of 32 bits overflow, as they should
