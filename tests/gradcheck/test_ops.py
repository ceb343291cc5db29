"""Rung 3: every backward pass of every op against finite differences, every element of every argument.

float64, a random cotangent, pairwise distinct odd sizes. The tolerance 1e-6 is the one that the
project promises; what is measured here is mostly below 1e-9.
"""

import numpy as np
import pytest

from minibert import dispatch, ops
from minibert.gradcheck import check_op

TOLERANCE = 1e-6


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def half_masked(*shape):
    mask = np.random.default_rng(3).random(shape) < 0.7
    mask[..., 1, :] = False  # a query that sees nothing
    return mask


LABELS = np.array([4, -100, 0, 8, -100])
QKV = normal(3, 2, 5, 7), normal(3, 2, 9, 7), normal(3, 2, 9, 7, seed=1)  # B 3, H 2, T 5, S 9, K 7

CASES = {
    "linear": [(normal(3, 5, 7), normal(7, 9), normal(9)), (normal(3, 5, 7), normal(7, 9), None)],
    "embedding": [(np.array([[3, 0, 3], [3, 6, 0]]), normal(7, 5))],
    "gelu": [(3 * normal(5, 7),)],
    "gelu_tanh": [(3 * normal(5, 7),)],
    "tanh": [(normal(5, 7),)],
    "layer_norm": [(normal(3, 5, 7), normal(7), normal(7, seed=1), 1e-3)],
    "dropout": [(normal(5, 7), 0.4, 11), (normal(5, 7), 0.4, None)],
    "add_norm": [(normal(3, 5, 7), normal(3, 5, 7, seed=1), normal(7), normal(7, seed=1), 1e-3, 0.4, 11)],
    "attention": [
        (*QKV, None, 0.4),
        (*QKV, None, 0.4, False, 0.3, 11),
        (*QKV, None, 0.4, True, 0.3, 11),
        (*QKV, normal(1, 2, 5, 9), 0.4, True),
        (*QKV, half_masked(3, 1, 5, 9), 0.4, False, 0.3, 11),
        (*QKV, normal(3, 2, 5, 9), 0.4),
        (*QKV, normal(1, 2, 5, 9), 0.4),
        (*QKV, normal(3, 1, 1, 9), 0.4),
        (*QKV, normal(5, 9), 0.4),
    ],
    "linear_gelu": [(normal(3, 5, 7), normal(7, 9), normal(9), form) for form in (False, True)],
    "feed_forward": [
        (normal(3, 5, 7), normal(7, 9), normal(9), normal(9, 7), normal(7), form) for form in (False, True)
    ],
    "cross_entropy": [(normal(5, 9), LABELS), (normal(5, 9), LABELS, 11)],
    "linear_cross_entropy": [(normal(5, 7), normal(7, 9), normal(9), LABELS)],
}


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
