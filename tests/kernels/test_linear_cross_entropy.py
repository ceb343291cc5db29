"""The vocabulary head with its loss against its reference, wherever its logits wait; memory, and bits over threads.

float64 agrees to 1e-12 of the largest element. float32 is compared with the float64 reference: sums of up to 300
products, rounded to 6e-8 each, stay within 1e-5.
"""

import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from minibert import backend, no_grad, ops

kernels = pytest.importorskip("minibert.kernels", reason="needs the extra `numba`")
head = sys.modules["minibert.kernels.linear_cross_entropy"]  # the package's attribute of that name is the function
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}
SHAPES = [  # targets N, width D, words V
    (0, 5, 7),
    (1, 1, 1),
    (1, 3, 768),
    (13, 5, 769),  # more targets than D: with SPARE they all wait
    (41, 40, 2500),
    (9, 17, 3001),  # fewer
]


def problem(N, D, V, dtype="float64"):
    rng = np.random.default_rng([N, D, V])
    labels = np.where(rng.random(N) < 0.2, -100, rng.integers(0, V, N))
    return [a.astype(dtype) for a in (rng.normal(size=(N, D)), rng.normal(size=(D, V)), rng.normal(size=V))] + [labels]


def both_ways(args, dloss=1.0, name="numba"):
    with backend(name):
        loss, cache = ops.linear_cross_entropy(*args)
        return [loss, cache.predictions, *ops.linear_cross_entropy_backward(dloss, cache)]


def assert_close(found, expected, dtype="float64"):
    for ours, theirs in zip(found, expected, strict=True):
        atol = TOLERANCE[dtype] * max(1, np.abs(theirs).max(initial=0))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=atol)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("spare", [0, 3 * 8 * 769, head.SPARE])
def test_the_head_agrees_with_the_reference_wherever_the_logits_wait(shape, dtype, spare, monkeypatch):
    """In the memory of the gradient, a few or all of the others behind it, and the rest nowhere."""
    monkeypatch.setattr(head, "SPARE", spare)
    args = problem(*shape)
    found = both_ways([a.astype(dtype) for a in args[:3]] + args[3:], 0.7)
    assert all(a.dtype == dtype for a in [found[0], *found[2:]])
    assert_close(found, both_ways(args, 0.7, "numpy"), dtype)


@pytest.mark.parametrize("layout", ["table", "every other column", "read-only"])
def test_any_layout(layout):
    x, weight, bias, labels = problem(9, 6, 1500)
    if layout == "table":
        weight = np.ascontiguousarray(weight.T).T
    elif layout == "every other column":
        x, weight, bias, labels = x[:, ::2], weight[::2], np.repeat(bias, 2)[::2], np.repeat(labels, 3)[::3]
    else:
        for array in (x, weight, bias, labels):
            array.flags.writeable = False
    args = x, weight, bias, labels
    assert_close(both_ways(args), both_ways(args, name="numpy"))


def test_the_first_of_equal_logits_is_predicted_and_minus_infinity_has_no_probability():
    x, weight, bias, _ = problem(7, 11, 3000)
    bias[[3, 2700]] = -np.inf
    bias[[100, 2000]] = 50
    weight[:, 2000] = weight[:, 100]
    args = x, weight, bias, np.array([2999, 0, -100, 767, 768, 100, 2000])
    found = both_ways(args)
    assert (found[1] == 100).all()
    assert_close(found, both_ways(args, name="numpy"))


@pytest.mark.parametrize("place", [0, 767, 768, 2499])
@pytest.mark.parametrize("bias_there", [0, np.nan, -np.inf])
def test_infinities_and_nan_come_out_as_in_the_reference(bias_there, place):
    """The word at `place` has a finite logit, +infinity, -infinity and, where there is no target, +infinity.

    A row with +infinity has no softmax: all of it is NaN, as it is with a NaN.
    """
    x, weight = np.array([[1], [1e300], [-1e300], [1e300]]), 1e-300 * np.random.default_rng(0).normal(size=(1, 2500))
    bias, labels = np.zeros(2500), np.array([3, 4, 1500, -100])
    weight[0, place], bias[place] = 1e100, bias_there
    with np.errstate(all="ignore"):
        found, expected = both_ways((x, weight, bias, labels)), both_ways((x, weight, bias, labels), name="numpy")
    assert np.isnan(expected[2][1])
    assert not np.isnan(expected[2][3])
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_a_row_of_minus_infinities_is_nan():
    x, weight, _, labels = problem(3, 2, 1500)
    args = x, weight, np.full(1500, -np.inf), labels
    with np.errstate(all="ignore"):
        found, expected = both_ways(args), both_ways(args, name="numpy")
    assert np.isnan(expected[0])
    assert_close(found, expected)


def test_without_classes_there_is_no_softmax():
    x, weight, bias, _ = problem(1, 3, 5)
    for name, message in ("numpy", "cannot reshape"), ("numba", "at least one class"):
        with pytest.raises(ValueError, match=message):
            both_ways((x, weight[:, :0], bias[:0], np.array([-100])), name=name)


def test_gradients_are_the_callers_and_a_second_backward_is_right():
    args = problem(41, 40, 2500)
    expected = ops.linear_cross_entropy_backward(1.0, ops.linear_cross_entropy(*args)[1])
    with backend("numba"):
        _, cache = ops.linear_cross_entropy(*args)
        first = ops.linear_cross_entropy_backward(1.0, cache)
        assert_close(first, expected)
        for gradient in first:
            gradient[...] = np.nan
        assert_close(ops.linear_cross_entropy_backward(-2.5, cache), [-2.5 * g for g in expected])


def test_no_grad_keeps_no_logits_and_changes_no_result():
    args = problem(41, 40, 2500)
    expected = both_ways(args)
    with backend("numba"):
        with no_grad():
            loss, cache = ops.linear_cross_entropy(*args)
        assert not cache.waiting
        assert_close([loss, cache.predictions, *ops.linear_cross_entropy_backward(1.0, cache)], expected)


def test_memory_beyond_inputs_and_results():
    """PyTorch takes 84.6 MB for these sizes, (N, V) in float32 is 36.6 MB; ours is a tenth of PyTorch's at most."""
    args = problem(300, 256, 30_522, "float32")
    both_ways(problem(2, 3, 5, "float32"))  # compile

    def peak(run):
        tracemalloc.start()
        results = run()
        extra = tracemalloc.get_traced_memory()[1] - sum(r.nbytes for r in results)
        tracemalloc.stop()
        return extra

    assert peak(lambda: both_ways(args)) <= 8.46e6
    with backend("numba"), no_grad():
        assert peak(lambda: ops.linear_cross_entropy(*args)[:1]) <= 2e6  # one chunk of 768 words: 0.9 MB


CHECKSUMS = """
import hashlib, numba, numpy as np
from minibert import ops, set_backend
set_backend("numba")
rng = np.random.default_rng(0)
for dtype in ("float32", "float64"):
    x, weight, bias = (rng.normal(size=s).astype(dtype) for s in ((90, 64), (64, 12_345), 12_345))
    labels = rng.integers(0, 12_345, 90)
    for threads in (1, 2, 3, 4):
        numba.set_num_threads(threads)
        loss, cache = ops.linear_cross_entropy(x, weight, bias, labels)
        results = loss, cache.predictions, *ops.linear_cross_entropy_backward(1.0, cache)
        print(dtype, hashlib.sha256(b"".join(r.tobytes() for r in results)).hexdigest())
"""


def test_the_same_bits_for_any_number_of_threads():
    environment = {**os.environ, "NUMBA_NUM_THREADS": "4"}
    done = subprocess.run([sys.executable, "-c", CHECKSUMS], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.split("\n")[:-1]
    assert len(lines) == 8
    assert len(set(lines)) == 2  # one a dtype
