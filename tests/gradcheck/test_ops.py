"""Rung 3: every backward pass of every op against finite differences, every element of every argument.

float64, a random cotangent, pairwise distinct odd sizes. The tolerance 1e-6 is the one that the
project promises; what is measured here is mostly below 1e-9.
"""

import numpy as np
import pytest
from op_cases import CASES

from minibert import dispatch, ops
from minibert.gradcheck import check_op

TOLERANCE = 1e-6


def test_every_op_with_a_backward_is_checked():
    assert {name + "_backward" for name in CASES} == {name for name in dispatch.REFERENCE if name.endswith("_backward")}


@pytest.mark.parametrize(("name", "args"), [(name, args) for name, cases in CASES.items() for args in cases])
def test_backward_is_the_derivative(name, args):
    errors = check_op(getattr(ops, name), getattr(ops, f"{name}_backward"), *args)
    assert all(error.checked == np.prod(error.shape) for error in errors)
    assert max(error.relative_error for error in errors) <= TOLERANCE, errors


def test_float32_stays_float32():
    def single(x):
        return x.astype(np.float32) if isinstance(x, np.ndarray) and x.dtype == np.float64 else x

    for name, cases in CASES.items():
        for args in cases:
            y, cache = getattr(ops, name)(*map(single, args))
            assert y.dtype == np.float32, name
            grads = getattr(ops, f"{name}_backward")(y, cache)
            grads = grads if isinstance(grads, tuple) else (grads,)
            assert {g.dtype for g in grads if g is not None} == {np.dtype(np.float32)}, name
