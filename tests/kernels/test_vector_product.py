"""Products of few rows, which read the weight once and in place: against NumPy, in every layout, to the same bits."""

import numpy as np
import pytest
from minibert.kernels import vector_product
from minibert.kernels.blocking import TINY_WORK
from minibert.kernels.linear import linear
from minibert.kernels.matmul import matmul, matmul_gelu
from numba import get_num_threads, set_num_threads

from minibert import ops

DTYPES = [np.float32, np.float64]
SHAPES = [(1, 97, 700), (2, 700, 97), (3, 8, 9001), (4, 65, 1000), (1, 1, 40_000), (4, 9, 4097), (1, 600, 500)]
LAYOUTS = ["rows", "columns", "rows of a wider array", "columns of a wider array", "reversed rows"]


def weight(K, N, layout, dtype):
    w = np.random.default_rng(0).standard_normal((K, N)).astype(dtype)
    if layout == "columns":
        return np.ascontiguousarray(w.T).T
    if layout == "rows of a wider array":
        return np.hstack([w, np.full_like(w, np.nan)])[:, :N]
    if layout == "columns of a wider array":
        return np.hstack([w.T, np.full_like(w.T, np.nan)])[:, :K].T
    return np.ascontiguousarray(w[::-1])[::-1] if layout == "reversed rows" else w


@pytest.fixture
def used(monkeypatch):
    """How often the path of this file was taken."""
    calls, right = [], vector_product.vector_product

    def count(*args):
        calls.append(1)
        return right(*args)

    monkeypatch.setattr("minibert.kernels.matmul.vector_product", count)
    return calls


def bound(x, w):
    """As in test_matmul: (2 + sqrt(K)) eps sum |x w|, twice, for NumPy's sum may be off by as much."""
    return 2 * (2 + np.sqrt(x.shape[-1])) * np.finfo(x.dtype).eps * (np.abs(x) @ np.abs(w))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_it_is_the_product(used, dtype, shape, layout):
    M, K, N = shape
    assert M * K * N > TINY_WORK
    x = np.random.default_rng(1).standard_normal((2 * M, K)).astype(dtype)[::2]
    w, bias = weight(K, N, layout, dtype), np.linspace(-1, 1, N, dtype=dtype)
    assert (np.abs(matmul(x, w) - x @ w) <= bound(x, w)).all()
    out = np.full((M, N + 3), np.nan, dtype)
    y = matmul(x, w, out[:, :N], bias=bias)
    assert (np.abs(y - (x @ w + bias)) <= bound(x, w) + 4 * np.finfo(dtype).eps).all()
    assert np.isnan(out[:, N:]).all()
    assert len(used) == 2


@pytest.mark.parametrize("tanh", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_gelu_follows(used, dtype, tanh):
    """Its input to rounding; from the same input, its output to a few eps."""
    rng = np.random.default_rng(2)
    x, w = rng.standard_normal((3, 60)).astype(dtype), rng.standard_normal((60, 800)).astype(dtype)
    bias = np.linspace(-2, 2, 800, dtype=dtype)
    y, u = matmul_gelu(x, w, bias, tanh=tanh)
    assert (np.abs(u - (x @ w + bias)) <= bound(x, w) + 4 * np.finfo(dtype).eps).all()
    expected, _ = (ops.gelu_tanh if tanh else ops.gelu)(u)
    np.testing.assert_allclose(y, expected, rtol=0, atol=8 * np.finfo(dtype).eps * (1 + np.abs(u).max()))
    assert used


@pytest.mark.parametrize("layout", ["rows", "columns"])
def test_the_same_bits_whatever_the_threads_and_the_other_rows(layout):
    rng = np.random.default_rng(3)
    x, w = rng.standard_normal((4, 530)).astype(np.float32), weight(530, 4200, layout, np.float32)
    whole, allowed = matmul(x, w), get_num_threads()
    for rows in (slice(0, 1), slice(1, 4), slice(2, 4)):
        np.testing.assert_array_equal(matmul(x[rows], w), whole[rows])
    try:
        set_num_threads(1)
        np.testing.assert_array_equal(matmul(x, w), whole)
    finally:
        set_num_threads(allowed)


def test_what_it_is_for_and_what_not(used):
    rng = np.random.default_rng(4)
    w = rng.standard_normal((64, 900))
    linear(rng.standard_normal((1, 2, 64)), w, rng.standard_normal(900))
    linear(rng.standard_normal((2, 1, 64)), w)
    assert len(used) == 2
    linear(rng.standard_normal((1, 5, 64)), w)  # too many rows
    matmul(rng.standard_normal((2, 3, 1, 64)), np.tile(w, (2, 3, 1, 1)))  # a weight for each
    matmul(rng.standard_normal((1, 64)), w[:, ::2])  # neither rows nor columns are contiguous
    matmul(rng.standard_normal((1, 64)), w, np.zeros((1, 900)), add=True)
    assert len(used) == 2


def test_numbers_that_are_none_come_through():
    """Infinity and NaN in one column stay there."""
    x, w = np.ones((1, 300), np.float32), np.ones((300, 500), np.float32)
    w[7, 3], w[8, 4] = np.inf, np.nan
    for layout in (w, np.asfortranarray(w)):
        y = matmul(x, layout)[0]
        assert np.isposinf(y[3])
        assert np.isnan(y[4])
        np.testing.assert_array_equal(np.delete(y, [3, 4]), 300)
