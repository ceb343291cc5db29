"""The compiled matrix products against NumPy: shapes, strides, epilogues, threads, and other processors."""

import math
import os
import platform
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minibert.kernels import gelu_math, vector_math
from minibert.kernels.blocking import KC
from minibert.kernels.matmul import matmul, matmul_gelu, matmul_gelu_grad, weight_gradient
from minibert.kernels.microkernel import host_tile, tile_shape
from numba import njit

DTYPES = [np.float32, np.float64]
FORMS = [False, True]  # GELU's erf form, its tanh form
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def sizes(edge: int):
    """0, 1, small sizes, and sizes just around multiples of a tile's edge."""
    near = st.builds(lambda times, off: max(0, times * edge + off), st.integers(1, 12), st.integers(-1, 1))
    return st.one_of(st.sampled_from([0, 1, 2, 3, 5, 7, 31, 97]), near)


def depths():
    """Sizes of K: also around one and two panels, where the sums are interrupted."""
    return st.one_of(sizes(8), st.sampled_from([KC - 1, KC, KC + 1, 2 * KC + 3]))


@st.composite
def problems(draw, batch=()):
    """(a, b) with any layout: C, Fortran, every other number of a larger array, read-only."""
    dtype = draw(st.sampled_from(DTYPES))
    M, N, K = draw(sizes(host_tile(dtype).rows)), draw(sizes(host_tile(dtype).columns)), draw(depths())
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return tuple(strided(draw, rng, (*batch, *shape), dtype) for shape in ((M, K), (K, N)))


def strided(draw, rng, shape, dtype):
    layout = draw(st.sampled_from(["C", "F", "spread", "reversed", "read-only"]))
    x = rng.standard_normal(shape).astype(dtype)
    if layout == "F":
        return np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)
    if layout == "spread":
        wide = np.full((*shape[:-2], 2 * shape[-2], 3 * shape[-1]), np.nan, dtype)
        wide[..., ::2, ::3] = x
        return wide[..., ::2, ::3]
    if layout == "reversed":
        return np.ascontiguousarray(x[..., ::-1, ::-1])[..., ::-1, ::-1]
    x.flags.writeable = layout != "read-only"
    return x


def check(actual, expected, a, b, slack=0.0):
    """|actual - expected| within rounding.

    However K products are summed, the error of each sum is at most about K eps sum |a b|; in practice roundings
    cancel, and (2 + sqrt(K)) eps sum |a b| holds with room. NumPy's own sum may be off by as much, hence twice.
    `slack`: additional multiples of eps (1 + |expected|), for what follows the product.
    """
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    eps = np.finfo(a.dtype).eps
    bound = 2 * (2 + math.sqrt(a.shape[-1])) * eps * (np.abs(a) @ np.abs(b)) + slack * eps * (1 + np.abs(expected))
    assert np.all(np.abs(actual - expected) <= bound)


def erf(x):
    return np.vectorize(math.erf, otypes=[np.float64])(x)


def gelu(u, tanh):
    """GELU and its derivative in float64, written as the papers do."""
    u = u.astype(np.float64)
    if tanh:
        t = np.tanh(math.sqrt(2 / math.pi) * (u + 0.044715 * u**3))
        slope = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * u**2)
        return u * (1 + t) / 2, (1 + t) / 2 + u * (1 - t * t) * slope / 2
    cdf = (1 + erf(u / math.sqrt(2))) / 2
    return u * cdf, cdf + u * np.exp(-u * u / 2) / math.sqrt(2 * math.pi)


@settings(max_examples=150, deadline=None)
@given(problems())
def test_product(problem):
    a, b = problem
    check(matmul(a, b), a @ b, a, b)


@settings(max_examples=40, deadline=None)
@given(problems(), st.sampled_from(["C", "F", "spread"]))
def test_bias_and_add_into_any_layout(problem, layout):
    a, b = problem
    M, N = a.shape[0], b.shape[1]
    rng = np.random.default_rng(0)
    start, bias = rng.standard_normal((M, N)).astype(a.dtype), rng.standard_normal(N).astype(a.dtype)
    out = np.empty((2 * M, 3 * N), a.dtype)[::2, ::3] if layout == "spread" else np.empty((M, N), a.dtype, layout)
    assert matmul(a, b, out, bias=bias) is out
    check(out, a @ b + bias, a, b, slack=2)
    out[...] = start
    matmul(a, b, out, bias=bias, add=True)
    check(out, start + a @ b + bias, a, b, slack=8)


@pytest.mark.parametrize("tanh", FORMS)
@settings(max_examples=30, deadline=None)
@given(problem=problems())
def test_gelu_and_its_gradient(tanh, problem):
    a, b = problem
    bias = np.linspace(-3, 3, b.shape[1], dtype=a.dtype)
    y, u = matmul_gelu(a, b, bias, tanh=tanh)
    check(u, a @ b + bias, a, b, slack=4)
    atol = 8 * np.finfo(a.dtype).eps * (1 + np.abs(u).max(initial=0))
    np.testing.assert_allclose(y, gelu(u, tanh)[0], rtol=0, atol=atol)
    # gelu' is at most 1.13 and known to a few eps, which the largest |a b| multiplies
    h = u.copy()
    dx = matmul_gelu_grad(a, b, h, tanh=tanh)
    check(dx, ((a @ b) * gelu(u, tanh)[1]).astype(a.dtype), a, b, slack=16 * (1 + np.abs(a @ b).max(initial=0)))
    np.testing.assert_allclose(h, gelu(u, tanh)[0], rtol=0, atol=atol)


@settings(max_examples=40, deadline=None)
@given(problems())
def test_weight_gradient(problem):
    x, dy = problem[0].T, problem[1]
    dw, db = weight_gradient(x, dy)
    check(dw, x.T @ dy, x.T, dy)
    ones = np.ones((1, len(dy)), dy.dtype)
    check(db, dy.sum(0), ones, dy)
    weight_gradient(x, dy, dw, db, add=True)
    check(dw, 2 * (x.T @ dy), 2 * x.T, dy)
    check(db, 2 * dy.sum(0), 2 * ones, dy)


@settings(max_examples=30, deadline=None)
@given(problems(batch=(2, 3)))
def test_batch(problem):
    a, b = problem
    check(matmul(a, b), a @ b, a, b)
    check(matmul(a, b[:, :1]), a @ b[:, :1], a, b[:, :1])
    check(matmul(a, b[0, 0]), a @ b[0, 0], a, b[0, 0])
    check(matmul(a[0], b), a[0] @ b, a[0], b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_heads_inside_a_projection_are_read_in_place(dtype):
    B, T, H, K = 2, 19, 3, 16
    qkv = np.random.default_rng(0).standard_normal((B, T, 3, H, K)).astype(dtype)
    q, k, v = (qkv[:, :, i].transpose(0, 2, 1, 3) for i in range(3))  # (B, H, T, K)
    scores = matmul(q, k.swapaxes(-1, -2))  # (B, H, T, T)
    check(scores, q @ k.swapaxes(-1, -2), q, k.swapaxes(-1, -2))
    out = np.empty((B, T, H, K), dtype)
    matmul(scores, v, out.transpose(0, 2, 1, 3))
    check(out.transpose(0, 2, 1, 3), scores @ v, scores, v)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_come_out_where_numpy_has_them(dtype, bad):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((31, 45)).astype(dtype), rng.standard_normal((45, 37)).astype(dtype)
    a[30, 3], b[44, 36], b[3, 5] = bad, bad, 0
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(np.isfinite(matmul(a, b)), np.isfinite(a @ b))
        np.testing.assert_array_equal(np.isnan(matmul(a, b)), np.isnan(a @ b))


def test_errors_name_the_shapes():
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match=r"\(2, 3\) by \(2, 3\)"):
        matmul(x, x)
    with pytest.raises(TypeError, match="float32 and float64"):
        matmul(x, np.zeros((3, 2)))
    with pytest.raises(ValueError, match="out"):
        matmul(x, x.T, np.empty((2, 3), np.float32))
    with pytest.raises(ValueError, match="bias"):
        matmul(x, x.T, bias=np.zeros(3, np.float32))


THREADS = """
import hashlib, numba, numpy as np
from minibert.kernels.matmul import matmul, matmul_gelu, weight_gradient
rng = np.random.default_rng(0)
for dtype in (np.float32, np.float64):
    a, b = rng.standard_normal((700, 1100)).astype(dtype), rng.standard_normal((1100, 520)).astype(dtype)
    heads = rng.standard_normal((3, 4, 40, 50)).astype(dtype)
    seen = set()
    for threads in (1, 2, 3, 4, 4):
        numba.set_num_threads(threads)
        results = (matmul(a, b), *matmul_gelu(a, b), *weight_gradient(a.T, b), matmul(heads, heads.swapaxes(-1, -2)))
        seen.add(hashlib.sha256(b"".join(r.tobytes() for r in results)).hexdigest())
    print("distinct results:", len(seen))
"""

REDUCED = """
import numpy as np
from minibert.kernels.matmul import matmul, matmul_gelu, matmul_gelu_grad, weight_gradient
from minibert.kernels.microkernel import host_tile
print(*host_tile(np.float32))
rng = np.random.default_rng(0)
for dtype, tolerance in ((np.float32, 1e-4), (np.float64, 1e-12)):
    a, b = rng.standard_normal((61, 77)).astype(dtype), rng.standard_normal((77, 53)).astype(dtype)
    for x in (a, np.asfortranarray(a)):
        for y in (b, np.asfortranarray(b)):
            np.testing.assert_allclose(matmul(x, y), a @ b, rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(matmul_gelu(a, b)[1], matmul(a, b))
    u = np.zeros((61, 53), dtype)  # there gelu is 0 and its derivative 1/2
    np.testing.assert_allclose(matmul_gelu_grad(a, b, u), a @ b / 2, rtol=tolerance, atol=tolerance)
    assert not u.any()
    for x in (a, np.pad(a, ((0, 0), (0, 1100)))[:, :77]):
        dw, db = weight_gradient(x.T, b)
        np.testing.assert_allclose(dw, x @ b, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(db, b.sum(0), rtol=tolerance, atol=tolerance)
"""


def run(script, **environment):
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **environment}, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")


def test_same_bits_whatever_the_number_of_threads():
    assert run(THREADS, NUMBA_NUM_THREADS="4")[:2] == ["distinct results: 1"] * 2


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="overrides the features of x86")
def test_a_processor_without_avx():
    first = run(REDUCED, NUMBA_CPU_NAME="x86-64", NUMBA_CPU_FEATURES="+sse,+sse2")[0]
    assert first == "4 2 4"


@pytest.mark.parametrize(
    ("features", "rows", "bytes_wide", "registers"),
    [
        ({"avx512f", "avx", "avx2", "fma"}, 14, 64, 32),
        ({"avx", "avx2", "fma"}, 6, 32, 16),
        ({"neon"}, 8, 16, 32),
        (set(), 4, 16, 16),
    ],
)
def test_a_tile_fits_its_registers(features, rows, bytes_wide, registers):
    for dtype in DTYPES:
        tile = tile_shape(frozenset(features), dtype)
        assert tile.rows == rows
        assert tile.lanes * np.dtype(dtype).itemsize == bytes_wide
        assert tile.rows * tile.vectors + tile.vectors + 1 <= registers  # the sums, a row of B, one number of A


def vectorised(function):
    @njit
    def loop(x, y):
        for i in range(len(x)):
            y[i] = function(x[i])

    def call(x):
        y = np.empty_like(x)
        loop(x, y)
        return y

    return call


REFERENCES = {
    "exp": np.exp,
    "tanh": np.tanh,
    "erf": erf,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "gelu": lambda x: gelu(x, False)[0],
    "gelu_grad": lambda x: gelu(x, False)[1],
    "gelu_tanh": lambda x: gelu(x, True)[0],
    "gelu_tanh_grad": lambda x: gelu(x, True)[1],
}


@pytest.mark.parametrize("name", REFERENCES)
def test_vector_math(name):
    """exp, tanh and erf to 2 eps of the value; the others, whose reference itself cancels, to 24 eps of 1 + |value|."""
    call = vectorised(getattr(gelu_math if "gelu" in name else vector_math, name))
    grid = np.concatenate([np.linspace(-20, 20, 4001), np.linspace(-1, 1, 2001), np.linspace(-80, 80, 401)])
    for dtype in DTYPES:
        x = grid.astype(dtype)
        eps, expected = np.finfo(dtype).eps, REFERENCES[name](x.astype(np.float64))
        bound = 2 * eps * np.abs(expected) if name in ("exp", "tanh", "erf") else 24 * eps * (1 + np.abs(expected))
        assert np.all(np.abs(call(x) - expected) <= bound)


@pytest.mark.parametrize("dtype", DTYPES)
def test_vector_math_at_the_extremes(dtype):
    x = np.array([-np.inf, -1e30, -1000, 1000, 1e30, np.inf, np.nan], dtype)
    expected = {
        "exp": [0, 0, 0, np.inf, np.inf, np.inf, np.nan],
        "tanh": [-1, -1, -1, 1, 1, 1, np.nan],
        "erf": [-1, -1, -1, 1, 1, 1, np.nan],
        "sigmoid": [0, 0, 0, 1, 1, 1, np.nan],
        "gelu": [np.nan, 0, 0, 1000, x[4], np.inf, np.nan],  # -inf * 0, as the reference computes it
        "gelu_tanh": [np.nan, 0, 0, 1000, x[4], np.inf, np.nan],
    }
    for name, values in expected.items():
        np.testing.assert_array_equal(
            vectorised(getattr(gelu_math if "gelu" in name else vector_math, name))(x),
            np.array(values, dtype),
            err_msg=name,
        )
