"""Ops with arguments at the ends of the number range: what the tests of extremes share.

The truth is the reference itself in a type with a far larger range: float64 for float32, long double for float64. An
entry of a result is expected to be finite if the true one is no larger than the largest float of the narrow type.
"""

import inspect
from unittest.mock import patch

import numpy as np
import pytest
import scipy.special
from op_cases import CASES

from minibert import backend, ops

DTYPES = (np.float32, np.float64)
BACKENDS = ("numpy", "numba")
EACH_CASE = [(name, i) for name, cases in CASES.items() for i in range(len(cases))]
_erf = scipy.special.erf


def arguments(name, case, dtype):
    """The arguments of a case, with a cotangent "dy" at the end: {name: value}, floats in a dtype."""
    args = [cast(a, dtype) for a in CASES[name][case]]
    y, _ = getattr(ops, name)(*args)
    dy = np.random.default_rng(5).normal(size=np.shape(y)).astype(dtype)
    names = inspect.signature(getattr(ops, name)).parameters
    return {**dict(zip(names, args, strict=False)), "dy": dy}


def cast(a, dtype):
    return a.astype(dtype) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a


def floats(args):
    """The names of the arguments that can be extreme."""
    return [n for n, a in args.items() if isinstance(a, np.ndarray) and a.dtype.kind == "f"]


def everywhere(like, magnitude):
    """An array like another one, its numbers plus or minus a magnitude, at random."""
    signs = np.random.default_rng(7).choice([-1, 1], like.shape)
    return (signs * magnitude).astype(like.dtype)


def somewhere(like, value, seed=0):
    """A copy of an array with one number replaced, at a random place."""
    x = np.array(like)
    x.flat[np.random.default_rng(seed).integers(x.size)] = value
    return x


def results(name, args, where="numpy"):
    """Output and gradients of an op on a backend, without those that are None: a list of arrays."""
    *args, dy = args.values()
    with backend(where), np.errstate(all="ignore"):
        y, cache = getattr(ops, name)(*args)
        grads = getattr(ops, f"{name}_backward")(dy if np.ndim(y) else dy[()], cache)
    grads = grads if isinstance(grads, tuple) else (grads,)
    return [np.asarray(y), *(g for g in grads if g is not None)]


def true_results(name, args):
    """The results in a type whose range is far larger."""
    (dtype,) = {args[n].dtype for n in floats(args)}
    wide = np.float64 if dtype == np.float32 else np.longdouble
    if np.finfo(wide).maxexp < 8 * np.finfo(dtype).maxexp:
        pytest.skip("long double has no larger range than float64 here")
    with patch.object(scipy.special, "erf", _wide_erf):
        return results(name, {n: cast(a, wide) for n, a in args.items()})


def _wide_erf(x):
    """SciPy has no erf for long double; its digits do not matter here."""
    return _erf(x.astype(np.float64)).astype(x.dtype)


def fits(true):
    """Where a true result is a number of the narrow type."""
    narrow = np.float32 if true.dtype == np.float64 else np.float64
    return np.abs(true) <= np.finfo(narrow).max
