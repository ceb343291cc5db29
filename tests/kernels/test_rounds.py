"""Large products are cut into rounds and parts. With small limits, small products go the same ways, to be compared."""

import importlib

import numpy as np
import pytest
from minibert.kernels import blocking, matmul
from minibert.kernels.microkernel import host_tile

from minibert import kernels, ops
from minibert.dispatch import REFERENCE

feed_forward = importlib.import_module("minibert.kernels.feed_forward")  # its name in the package is the op's

LIMITS = {  # what cuts: the shared memory (rows and columns), the depth, the size of a task
    "whole": {},
    "depth": {"DEPTH": 8, "KC": 8},
    "rows and columns": {"SHARED_BYTES": 5000},
    "all": {"DEPTH": 8, "KC": 8, "SHARED_BYTES": 3000, "TASK_COLUMNS": 16, "BLOCK_BYTES": 1000},
}
LAYOUTS = {  # of A (M, K)
    "rows": lambda a: a,
    "columns": np.asfortranarray,
    "columns far apart": lambda a: np.pad(np.ascontiguousarray(a.T), ((0, 0), (0, 1100)))[:, : len(a)].T,
    "rows whole pages apart": lambda a: np.pad(a, ((0, 0), (0, 1024 - a.shape[1])))[:, : a.shape[1]],
    "spread": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
}


@pytest.fixture(params=LIMITS)
def limits(request, monkeypatch):
    """All threads share even small products, in as many rounds as the limits make."""
    small = {"SERIAL_WORK": 1, "TOGETHER_WORK": 1, "TASK_WORK": 1, "TINY_WORK": 0}
    for name, value in {**small, **LIMITS[request.param]}.items():
        monkeypatch.setattr(blocking, name, value)
    monkeypatch.setattr(matmul, "SERIAL_WORK", 1)
    monkeypatch.setattr(matmul, "TINY_WORK", 0)
    blocking.plan.cache_clear()
    yield request.param
    blocking.plan.cache_clear()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_products(limits, layout, dtype):
    """K products of numbers below 1 are off by at most about K eps in either sum; K is 61."""
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, (83, 61)).astype(dtype), rng.uniform(-1, 1, (61, 131)).astype(dtype)
    bias, start = rng.uniform(-1, 1, 131).astype(dtype), rng.uniform(-1, 1, (83, 131)).astype(dtype)
    a, atol = LAYOUTS[layout](a), 64 * np.finfo(dtype).eps
    MR = host_tile(np.dtype(dtype)).rows
    in_place = blocking.is_read_in_place(*a.strides, a.itemsize, MR)
    how = blocking.plan(83, 131, 61, 1, in_place, 2, np.dtype(dtype))
    crowded = layout == "rows whole pages apart" and MR > blocking.WAYS
    narrow = layout == "columns" and 2 * MR * a.itemsize <= blocking.LINE
    assert how.packs_a == (layout in ("columns far apart", "spread") or crowded or narrow)
    assert how.together == how.packs_a  # else each thread takes strips of columns
    assert (how.strips > 1) == (not how.packs_a)
    assert (how.depth_rounds > 1) == (limits in ("depth", "all"))
    assert (how.column_rounds > 1) == (limits == "rows and columns" or (how.packs_a and limits == "all"))
    assert (how.row_rounds > 1) == (how.packs_a and limits in ("rows and columns", "all"))
    np.testing.assert_allclose(matmul.matmul(a, b), a @ b, rtol=0, atol=atol)
    out = start.copy()
    matmul.matmul(a, b, out, bias=bias, add=True)
    np.testing.assert_allclose(out, start + a @ b + bias, rtol=0, atol=atol)
    y, u = matmul.matmul_gelu(a, b, bias)
    np.testing.assert_allclose(u, a @ b + bias, rtol=0, atol=atol)
    np.testing.assert_allclose(y, REFERENCE["gelu"](u)[0], rtol=0, atol=atol)


def test_rows_that_compete_for_the_same_places_of_the_cache():
    """They are packed if a tile reads more of them at once than there are places; other rows are read in place."""
    for row, MR, in_place in [(4096, 14, False), (-8192, 14, False), (4100, 14, True), (4096, 6, True)]:
        assert blocking.is_read_in_place(row, 4, 4, MR) == in_place


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_such_rows_are_packed_right(limits, dtype, monkeypatch):
    """As on a processor with tall tiles, wherever this runs."""
    monkeypatch.setattr(blocking, "WAYS", 0)
    test_products(limits, "rows whole pages apart", dtype)


@pytest.mark.parametrize("line", [0, 1024], ids=["read in place", "packed"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_columns_of_which_a_tile_takes_much_or_little_of_a_line(limits, dtype, line, monkeypatch):
    """As on processors with tall and with low tiles, wherever this runs."""
    monkeypatch.setattr(blocking, "LINE", line)
    test_products(limits, "columns", dtype)
    test_weight_gradients(limits, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weight_gradients(limits, dtype):
    """The bias gradient is summed beside the product, round by round."""
    rng = np.random.default_rng(1)
    x, dy = rng.uniform(-1, 1, (61, 83)).astype(dtype), rng.uniform(-1, 1, (61, 131)).astype(dtype)
    far = np.pad(x, ((0, 0), (0, 1100)))[:, :83]  # its transpose is packed
    for rows in (x, far):
        for add in (False, True):
            dw, db = np.ones((83, 131), dtype), np.ones(131, dtype)
            matmul.weight_gradient(rows, dy, dw, db, add=add)
            atol = 64 * np.finfo(dtype).eps
            np.testing.assert_allclose(dw, x.T @ dy + add, rtol=0, atol=atol)
            np.testing.assert_allclose(db, dy.sum(0) + add, rtol=0, atol=atol)


@pytest.mark.parametrize("wide_bytes", [1, 1000, 1 << 20], ids=["row by row", "parts", "whole"])
def test_the_feed_forward_network_in_parts(wide_bytes, monkeypatch):
    """float64; each number is a sum of at most 37 products of numbers near 1."""
    monkeypatch.setattr(feed_forward, "WIDE_BYTES", wide_bytes)
    rng = np.random.default_rng(2)
    x, dy = rng.standard_normal((2, 3, 9, 5))
    weights = [rng.standard_normal(shape) for shape in ((5, 13), (13,), (13, 5), (5,))]
    for tanh_form in (False, True):
        y, cache = kernels.feed_forward(x, *weights, tanh_form)
        expected, reference = ops.feed_forward(x, *weights, tanh_form)
        np.testing.assert_allclose(y, expected, rtol=1e-13, atol=1e-13)
        gradients = kernels.feed_forward_backward(dy, cache)
        for ours, theirs in zip(gradients, ops.feed_forward_backward(dy, reference), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=2e-13)
