"""Rung 5: every kernel against its reference, forward and backward, in both dtypes.

The same cases as the gradient checks. float64 agrees to 1e-12 of the largest element; in
float32 each side is compared with the float64 reference: sums of up to a few hundred terms
and polynomials for exp and erf stay within 1e-5 of the largest element.
"""

import inspect

import numpy as np
import pytest
from op_cases import CASES

from minibert import backend, dispatch, ops
from minibert.errors import BackendError

kernels = pytest.importorskip("minibert.kernels", reason="needs the extra `numba`")
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}
WITHOUT_BACKWARD = {"adamw", "soft_threshold", "square_sum"}  # tested by themselves below


def cast(value, dtype):
    return value.astype(dtype) if isinstance(value, np.ndarray) and value.dtype == np.float64 else value


def both_ways(name, args):
    """The output and the gradients of an op, for one random cotangent."""
    y, cache = getattr(ops, name)(*args)
    dy = np.random.default_rng(5).normal(size=np.shape(y)).astype(np.asarray(y).dtype)
    grads = getattr(ops, f"{name}_backward")(dy if dy.ndim else dy[()], cache)
    return [y, *(g for g in (grads if isinstance(grads, tuple) else (grads,)) if g is not None)]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("name", "args"), [(name, args) for name, cases in CASES.items() for args in cases])
def test_kernel_agrees_with_the_reference(name, args, dtype):
    if not hasattr(kernels, name):
        pytest.skip(f"{name} has no twin yet")
    expected = both_ways(name, args)
    with backend("numba"):
        found = both_ways(name, [cast(a, dtype) for a in args])
    for ours, theirs in zip(found, expected, strict=True):
        assert np.asarray(ours).dtype == dtype
        atol = TOLERANCE[dtype] * max(1, np.abs(theirs).max(initial=0))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=atol)


def test_every_kernel_is_tested_and_has_the_signature_of_its_op():
    """Every one that the backend would run, whether or not the package lists it."""
    twins = {name: twin for name, twin in dispatch._load_kernels().items() if name in dispatch.REFERENCE}
    assert twins.keys() == set(kernels.__all__)
    for name, twin in twins.items():
        assert name.removesuffix("_backward") in CASES.keys() | WITHOUT_BACKWARD, f"{name} has no parity test"
        ours, reference = (inspect.signature(f).parameters.values() for f in (twin, dispatch.REFERENCE[name]))
        assert [(p.name, p.kind, p.default) for p in ours] == [(p.name, p.kind, p.default) for p in reference], name
        if name.endswith("_backward"):
            assert name.removesuffix("_backward") in twins
        elif name not in WITHOUT_BACKWARD:
            assert f"{name}_backward" in twins


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_adamw_and_square_sum(dtype):
    rng = np.random.default_rng(0)
    shapes = [(3, 5), (1,), (20_001,), (0, 4)]
    start = [[rng.normal(size=s) for s in shapes] for _ in range(3)] + [[rng.random(s) for s in shapes]]
    results = []
    for name in ("numpy", "numba"):
        thetas, gs, ms, vs = ([a.astype(dtype) for a in arrays] for arrays in start)
        with backend(name):
            ops.adamw(thetas, gs, ms, vs, 3, 0.1, 0.9, 0.99, 1e-3, 0.2, 0.5)
            results.append([*thetas, *ms, *vs, np.array([ops.square_sum(gs)])])
    for numpy, numba in zip(*results, strict=True):
        np.testing.assert_allclose(numba, numpy, rtol=TOLERANCE[dtype] / 10, atol=TOLERANCE[dtype] / 10)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_soft_threshold(dtype):
    """To the bit: one subtraction a number. Also of an array that is no block of memory, and of a NaN."""
    rng, threshold = np.random.default_rng(0), 0.3
    start = [rng.normal(size=s).astype(dtype) for s in ((3, 5), (1,), (20_001,), (0, 4), (7, 9))]
    start[0][0, :3] = np.nan, threshold, -threshold
    results = []
    for name in ("numpy", "numba"):
        thetas = [np.asfortranarray(theta) for theta in map(np.copy, start)]
        with backend(name):
            ops.soft_threshold(thetas, threshold)
        results.append(thetas)
    for numpy, numba, before in zip(*results, start, strict=True):
        np.testing.assert_array_equal(numba, numpy)
        assert np.isnan(numba).sum() == np.isnan(before).sum()
    assert 0.2 < (results[1][2] == 0).mean() < 0.27  # of a normal distribution 23.6 % lie within +-0.3


@pytest.mark.parametrize("first", ["numpy", "numba"])
def test_a_cache_of_the_other_backend_is_refused(first):
    x = np.ones((3, 5))
    with backend(first):
        y, cache = ops.layer_norm(x, x[0], x[0], 1e-3)
    with backend("numba" if first == "numpy" else "numpy"), pytest.raises(BackendError, match="same backend"):
        ops.layer_norm_backward(y, cache)
