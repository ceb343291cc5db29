"""The row-wise kernels against their NumPy reference: values, infinities, strides, and bits over thread counts.

Tolerances are relative to the largest value expected in an array. A float32 rounds to 6e-8; each sum over a row of
up to 300 numbers, taken in another order, may lose a few more of these, so forward passes agree to 2e-6 and backward
passes, which subtract sums, to 1e-5. In float64 the same reasoning gives 1e-14 and 1e-13.
"""

import os
import subprocess
import sys
import zlib
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minibert.kernels.dropout import draw, keep

from minibert import kernels, ops
from minibert.errors import ConfigError
from minibert.ops.dropout import random_bits

KEY = 0x9E3779B97F4A7C15
dtypes = st.sampled_from([np.float32, np.float64])
rows = st.sampled_from([0, 1, 2, 3, 63, 64, 65, 131])
widths = st.sampled_from([1, 2, 7, 8, 31, 64, 65, 127, 257])
layouts = st.sampled_from(["contiguous", "strided", "transposed", "read-only"])
rates = st.sampled_from([0.0, 0.1, 0.5, 0.9])
seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=60, deadline=None)


def tolerance(dtype, backward=False):
    base = 2e-6 if dtype == np.float32 else 1e-14
    return base * (5 if backward and dtype == np.float32 else 10 if backward else 1)


def assert_close(actual, expected, rtol, size=0.0):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    finite = expected[np.isfinite(expected)]
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol * max(size, max(abs(finite.ravel()), default=0)))


def array(rng, shape, dtype, layout="contiguous", scale=1.0):
    """Normal numbers, in one of the layouts that a caller may hand over."""
    if layout == "strided":
        wide = rng.standard_normal((*shape[:-1], 2 * shape[-1])) * scale
        return wide.astype(dtype)[..., ::2]
    if layout == "transposed":
        return (rng.standard_normal(shape[::-1]) * scale).astype(dtype).T
    x = (rng.standard_normal(shape) * scale).astype(dtype)
    x.flags.writeable = layout != "read-only"
    return x


def check_pair(forward, backward, args, dy, dtype, y_size=0.0, grad_size=0.0):
    """Run an op and its backward on both sides; compare results and gradients. Returns the kernel's results.

    A size is that of the terms of a result, where these may cancel and leave a result that is much smaller.
    """
    y, cache = forward(*args)
    expected, expected_cache = getattr(ops, forward.__name__)(*args)
    assert_close(y, expected, tolerance(dtype), y_size)
    grads = backward(dy, cache)
    expected_grads = getattr(ops, backward.__name__)(dy, expected_cache)
    if not isinstance(grads, tuple):
        grads, expected_grads = (grads,), (expected_grads,)
    assert len(grads) == len(expected_grads)
    for grad, expected_grad in zip(grads, expected_grads, strict=True):
        assert_close(grad, expected_grad, tolerance(dtype, backward=True), grad_size)
    return y, grads


def largest_term(x, gamma, dy):
    """How large rstd * gamma * dy can be: dx is what remains of it without its mean and its part along xhat."""
    rstd = 1 / np.sqrt(x.var(-1) + 1e-3)
    return max(rstd, default=0) * max(abs(gamma)) * max(abs(dy.ravel()), default=0)


@few
@given(dtypes, rows, widths, layouts, seeds)
def test_layer_norm(dtype, N, D, layout, seed):
    rng = np.random.default_rng(seed)
    x, dy = array(rng, (N, D), dtype, layout), array(rng, (N, D), dtype, layout)
    gamma, beta = array(rng, (D,), dtype, layout), array(rng, (D,), dtype, layout)
    check_pair(
        kernels.layer_norm,
        kernels.layer_norm_backward,
        (x, gamma, beta, 1e-3),
        dy,
        dtype,
        0,
        largest_term(x, gamma, dy),
    )


@few
@given(dtypes, rows, widths, layouts, rates, seeds)
def test_add_norm(dtype, N, D, layout, rate, seed):
    rng = np.random.default_rng(seed)
    x, residual, dy = (array(rng, (N, D), dtype, layout) for _ in range(3))
    gamma, beta = array(rng, (D,), dtype, layout), array(rng, (D,), dtype, layout)
    args = (x, residual, gamma, beta, 1e-3, rate, KEY ^ seed)
    total = residual + ops.dropout(x, rate, KEY ^ seed)[0]
    size = largest_term(total, gamma, dy) / (1 - rate)
    check_pair(kernels.add_norm, kernels.add_norm_backward, args, dy, dtype, 0, size)


def test_norms_of_three_axes_and_without_a_key():
    rng = np.random.default_rng(0)
    x, residual, dy = rng.standard_normal((3, 2, 5, 9))
    gamma, beta = rng.standard_normal((2, 9))
    check_pair(kernels.layer_norm, kernels.layer_norm_backward, (x, gamma, beta, 1e-12), dy, np.float64)
    args = (x, residual, gamma, beta, 1e-12, 0.1, None)
    _, (dx, dresidual, *_) = check_pair(kernels.add_norm, kernels.add_norm_backward, args, dy, np.float64)
    assert not np.shares_memory(dx, dresidual)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_norm_of_a_row_that_is_not_finite(bad):
    x, dy = np.random.default_rng(0).standard_normal((2, 3, 40)).astype(np.float32)
    x[1, 7] = bad
    one, zero = np.ones(40, np.float32), np.zeros(40, np.float32)
    for rate in (0.0, 0.5):
        args = (x, x, one, zero, 1e-12, rate, KEY)
        check_pair(kernels.add_norm, kernels.add_norm_backward, args, dy, np.float32)


@few
@given(dtypes, st.sampled_from([(0,), (1,), (16383,), (16385,), (3, 0), (5, 7, 11)]), layouts, rates, seeds)
def test_dropout_is_the_same_bits(dtype, shape, layout, rate, seed):
    x = array(np.random.default_rng(seed), shape, dtype, layout)
    key = (KEY * (seed + 1)) % 2**64
    y, cache = kernels.dropout(x, rate, key)
    np.testing.assert_array_equal(y, ops.dropout(x, rate, key)[0])
    np.testing.assert_array_equal(kernels.dropout_backward(x, cache), y)


def test_dropout_of_special_values():
    x = np.full(100, np.inf, np.float32)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(kernels.dropout(x, 0.5, KEY)[0], ops.dropout(x, 0.5, KEY)[0])
    y, _ = kernels.dropout(x, 0.5, None)
    np.testing.assert_array_equal(y, x)
    assert not np.shares_memory(x, y)
    with pytest.raises(ConfigError, match="32 bits"):
        draw(0.5, KEY, 2**32 + 1)


def test_keep_hashes_element_numbers_of_32_bits():
    low, high, threshold, _ = draw(0.5, KEY, 8)

    def expected(h):
        for half in (KEY & 0xFFFFFFFF, KEY >> 32):
            h ^= half
            h = (h ^ h >> 16) * 0x7FEB352D % 2**32
            h = (h ^ h >> 15) * 0x846CA68B % 2**32
            h ^= h >> 16
        return h >= threshold

    @numba.njit
    def kept(i):
        return keep(low, high, i, threshold)

    numbers = [0, 1, 2, 3, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 3, 2**32 - 2, 2**32 - 1]
    assert [kept(i) for i in numbers] == [expected(i) for i in numbers]
    assert [expected(i) for i in range(50)] == list(random_bits(KEY, 50) >= threshold)


@few
@given(
    st.sampled_from(["gelu", "gelu_tanh", "tanh"]),
    dtypes,
    st.sampled_from([(0,), (1,), (4095,), (4097,), (3, 5, 7)]),
    layouts,
    st.sampled_from([1e-3, 1.0, 5.0]),
    seeds,
)
def test_activations(name, dtype, shape, layout, scale, seed):
    rng = np.random.default_rng(seed)
    x, dy = array(rng, shape, dtype, layout, scale), array(rng, shape, dtype, layout)
    # far to the left Phi(x) is small; the reference takes it as a difference from 1, with the rounding error of 1
    size = max(abs(x.ravel()), default=0)
    grad_size = max(abs(dy.ravel()), default=0) * max(1, size)
    pair = getattr(kernels, name), getattr(kernels, f"{name}_backward")
    check_pair(*pair, (x,), dy, dtype, size, grad_size)


@pytest.mark.filterwarnings("ignore:invalid value", "ignore:overflow")
@pytest.mark.parametrize("name", ["gelu", "gelu_tanh", "tanh"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activations_of_special_values(name, dtype):
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-30, -100, 100, 1e4, -1e4], dtype)
    for k in range(len(x)):
        forward, backward = getattr(kernels, name), getattr(kernels, f"{name}_backward")
        check_pair(forward, backward, (x[k : k + 1],), np.ones(1, dtype), dtype)


@few
@given(dtypes, st.sampled_from([np.int64, np.int32, np.uint16]), rows, widths, layouts, seeds)
def test_embedding(dtype, integer, N, D, layout, seed):
    rng = np.random.default_rng(seed)
    V = int(rng.integers(1, 50))
    ids, table, dy = rng.integers(0, V, N).astype(integer), array(rng, (V, D), dtype, layout), array(rng, (N, D), dtype)
    check_pair(kernels.embedding, kernels.embedding_backward, (ids, table), dy, dtype)
    for order in "CF":
        dtable = np.ones((V, D), dtype, order)
        cache = kernels.embedding(ids, table)[1]
        assert kernels.embedding_backward(dy, cache, dtable) is dtable
        expected = ops.embedding_backward(dy, ops.embedding(ids, table)[1], np.ones((V, D), dtype))
        assert_close(dtable, expected, tolerance(dtype, backward=True))


def test_embedding_of_two_axes_and_of_ids_out_of_range():
    table = np.random.default_rng(0).standard_normal((7, 5))
    ids = np.array([[0, 6, 3], [3, 3, 1]])[:, ::-1]
    check_pair(kernels.embedding, kernels.embedding_backward, (ids, table), np.ones((2, 3, 5)), np.float64)
    for bad in (-1, 7):
        with pytest.raises(IndexError, match=r"0\.\.6"):
            kernels.embedding(np.array([0, bad]), table)


@few
@given(dtypes, rows, st.sampled_from([1, 2, 31, 257, 2047, 2049, 4100]), layouts, st.sampled_from([1, 30]), seeds)
def test_cross_entropy(dtype, N, V, layout, scale, seed):
    rng = np.random.default_rng(seed)
    logits, labels = array(rng, (N, V), dtype, layout, scale), rng.integers(0, V, N)
    labels[rng.random(N) < 0.3] = ops.IGNORE_INDEX
    for count in (None, 1000):
        args = (logits, labels, count)
        total = count or max(1, (labels != ops.IGNORE_INDEX).sum())
        sizes = max(abs(logits.ravel()), default=0) * N / total, 0.7 / total
        check_pair(kernels.cross_entropy, kernels.cross_entropy_backward, args, 0.7, dtype, *sizes)


@pytest.mark.filterwarnings("ignore:invalid value", "ignore:divide by zero")
@pytest.mark.parametrize("V", [5, 5000])
@pytest.mark.parametrize("row", ["nan", "inf", "-inf", "all -inf", "-inf then nan", "-inf then finite"])
def test_cross_entropy_of_a_row_that_is_not_finite(V, row):
    logits = np.random.default_rng(0).standard_normal((3, V)).astype(np.float32)
    values = {"nan": np.nan, "inf": np.inf}
    logits[1, 2] = values.get(row, -np.inf)
    if row == "all -inf":
        logits[1] = -np.inf
    if "then" in row:
        logits[1, : V - 1] = -np.inf
        logits[1, V - 1] = np.nan if row.endswith("nan") else 0.3
    for labels in ([0, V - 1, 1], [0, ops.IGNORE_INDEX, 1]):
        args = (logits, np.array(labels))
        check_pair(kernels.cross_entropy, kernels.cross_entropy_backward, args, 1.0, np.float32)


def test_cross_entropy_of_a_label_out_of_range():
    for bad in (-1, 5):
        with pytest.raises(IndexError, match=r"0\.\.4"):
            kernels.cross_entropy(np.zeros((2, 5)), np.array([0, bad]))


@few
@given(dtypes, st.sampled_from([(0,), (1,), (31,), (16385,), (5, 7)]), layouts, st.integers(1, 5), seeds)
def test_adamw(dtype, shape, layout, t, seed):
    rng = np.random.default_rng(seed)
    layout = "contiguous" if layout == "read-only" else layout
    ours = [array(rng, shape, dtype, layout) for _ in range(4)]
    ours[3][...] = ours[3] ** 2 + 0.1  # where v is tiny, a rounding error of m counts much in theta
    theirs = [np.array(a) for a in ours]
    settings_ = (t, 1e-2, 0.9, 0.999, 1e-8, 0.1, 0.3)
    kernels.adamw(*([a] for a in ours), *settings_)
    ops.adamw(*([a] for a in theirs), *settings_)
    for actual, expected in zip(ours, theirs, strict=True):
        assert_close(actual, expected, tolerance(dtype))
    np.testing.assert_allclose(kernels.square_sum([ours[1]]), ops.square_sum([theirs[1]]), rtol=1e-13)


def test_adamw_of_many_arrays_equals_one_by_one():
    rng = np.random.default_rng(0)
    shapes = [(3,), (0,), (130, 257), (1,), (7, 5)]
    together = [[rng.random(s).astype(np.float32) for s in shapes] for _ in range(4)]
    single = [[a.copy() for a in arrays] for arrays in together]
    settings_ = (3, 1e-2, 0.9, 0.999, 1e-8, 0.1, 0.3)
    kernels.adamw(*together, *settings_)
    for arrays in zip(*single, strict=True):
        kernels.adamw(*([a] for a in arrays), *settings_)
    for a, b in zip(together, single, strict=True):
        assert all((x == y).all() for x, y in zip(a, b, strict=True))
    np.testing.assert_allclose(kernels.square_sum(together[1]), ops.square_sum(together[1]), rtol=1e-14)
    assert kernels.square_sum([]) == 0
    kernels.adamw([], [], [], [], *settings_)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_adamw_of_a_gradient_that_is_not_finite():
    ours = [np.ones(6, np.float32) for _ in range(4)]
    ours[1][:] = [np.nan, np.inf, -np.inf, 0, 1, 2]
    theirs = [a.copy() for a in ours]
    for function, arrays in ((kernels.adamw, ours), (ops.adamw, theirs)):
        function(*([a] for a in arrays), 1, 1e-2, 0.9, 0.999, 1e-8, 0.1, 1.0)
    for actual, expected in zip(ours, theirs, strict=True):
        assert_close(actual, expected, 2e-6)


def test_float16_is_refused():
    with pytest.raises(TypeError, match="float16"):
        kernels.gelu(np.ones(3, np.float16))


def checksum():
    """One number for the bits of every kernel's results, on arrays of several tasks."""
    rng = np.random.default_rng(0)
    x, residual, dy = rng.standard_normal((3, 1000, 130), dtype=np.float32)
    gamma, beta = rng.standard_normal((2, 130), dtype=np.float32)
    ids = rng.integers(0, 50, 1000)
    results = []
    for forward, backward, args in (
        (kernels.layer_norm, kernels.layer_norm_backward, (x, gamma, beta, 1e-12)),
        (kernels.add_norm, kernels.add_norm_backward, (x, residual, gamma, beta, 1e-12, 0.1, KEY)),
        (kernels.dropout, kernels.dropout_backward, (x, 0.1, KEY)),
        (kernels.gelu, kernels.gelu_backward, (x,)),
        (kernels.gelu_tanh, kernels.gelu_tanh_backward, (x,)),
        (kernels.tanh, kernels.tanh_backward, (x,)),
        (kernels.embedding, kernels.embedding_backward, (ids, x[:50].copy())),
    ):
        y, cache = forward(*args)
        grads = backward(dy, cache)
        results += [y, *(grads if isinstance(grads, tuple) else (grads,))]
    loss, cache = kernels.cross_entropy(x, ids)
    results += [loss, kernels.cross_entropy_backward(1.0, cache)]
    kernels.adamw([x], [dy], [residual], [x * x], 2, 1e-3, 0.9, 0.999, 1e-8, 0.01, 0.5)
    results += [x, residual, np.float64(kernels.square_sum([dy]))]
    return zlib.crc32(b"".join(np.asarray(r).tobytes() for r in results))


def test_bits_do_not_depend_on_the_number_of_threads():
    code = (
        "import numba, test_row_kernels as t\n"
        "for n in (1, 2, 3, 4):\n    numba.set_num_threads(n)\n    print(t.checksum())"
    )
    env = {**os.environ, "NUMBA_NUM_THREADS": "4", "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    sums = done.stdout.split()
    assert len(sums) == 4
    assert len(set(sums)) == 1
