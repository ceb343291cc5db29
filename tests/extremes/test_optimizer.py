"""AdamW, soft thresholding and the gradient's norm with numbers at the ends of the range."""

import numpy as np
import pytest
from extreme_cases import BACKENDS, DTYPES

import minibert
from minibert import ops

pytest.importorskip("minibert.kernels", reason="needs the extra `numba`")


def sizes(dtype):
    info = np.finfo(dtype)
    root = float(info.max) ** 0.5
    return np.array([0, info.smallest_subnormal, info.tiny, 1e-8, 1, 1e4, root / 2, 100 * root, info.max], dtype)


def step(dtype, backend, eps):
    """One step from zero moments, of a parameter 1 for each size of its gradient, of either sign."""
    g = np.concatenate([sizes(dtype), -sizes(dtype)])
    theta, m, v = np.ones_like(g), np.zeros_like(g), np.zeros_like(g)
    with minibert.backend(backend), np.errstate(all="ignore"):
        ops.adamw([theta], [g], [m], [v], 1, 0.1, 0.9, 0.999, eps, 0.01, 1.0)
    return theta, m, v


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_no_gradient_makes_a_parameter_infinite(dtype, backend):
    """The step is lr at most. Where the square of the gradient overflows, v is infinite and the step 0: so a gradient
    beyond the root of the largest float leaves its parameter still, but does not destroy it.
    """
    theta, m, v = step(dtype, backend, 1e-8)
    assert np.isfinite(theta).all()
    assert np.isfinite(m).all()
    assert (np.abs(theta - 0.999) <= 0.1 * (1 + 4 * np.finfo(dtype).eps)).all()
    huge = np.abs(np.concatenate([sizes(dtype)] * 2)) > float(np.finfo(dtype).max) ** 0.5
    np.testing.assert_array_equal(np.isinf(v), huge)


@pytest.mark.parametrize("dtype", DTYPES)
def test_both_backends_take_the_same_step(dtype):
    for ours, reference in zip(*(step(dtype, backend, 1e-8) for backend in BACKENDS), strict=True):
        np.testing.assert_allclose(ours, reference, rtol=8 * np.finfo(dtype).eps, atol=np.finfo(dtype).tiny)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_square_sum(dtype, backend):
    """It is added up in float64: of float32, no number and no sum of them is too large; empty arrays add nothing."""
    info = np.finfo(dtype)
    with minibert.backend(backend), np.errstate(over="ignore"):
        assert ops.square_sum([np.zeros((0, 3), dtype), np.full(5, 1e4, dtype)]) == pytest.approx(5e8, rel=1e-15)
        assert ops.square_sum([np.full(4, info.smallest_subnormal, dtype)]) >= 0
        largest = ops.square_sum([np.full(7, info.max, dtype)])
    assert largest == (pytest.approx(7 * float(info.max) ** 2) if dtype == np.float32 else np.inf)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_soft_threshold(dtype, backend):
    info = np.finfo(dtype)
    for threshold in (0.0, float(info.smallest_subnormal), 1.0, 1e4, float(info.max)):
        theta = np.concatenate([sizes(dtype), -sizes(dtype)])
        expected = np.sign(theta) * np.maximum(np.abs(theta) - dtype(threshold), 0)
        with minibert.backend(backend), np.errstate(over="ignore"):
            ops.soft_threshold([theta], threshold)
        np.testing.assert_array_equal(theta, expected)
