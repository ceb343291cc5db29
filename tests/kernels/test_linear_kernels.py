"""Linear layers, the feed-forward network and the vocabulary head at drawn sizes and layouts, forward and backward.

Both dtypes against the reference in float64. Weights are of size 1 / sqrt(their rows), so that all sums are near 1, but
for those over N rows, of size sqrt(N). Each number of a float32 is rounded by up to 6e-8, sums of up to 260 products by
a few times that, also inside of GELU: 1e-5 of the largest number of a result holds with room. In float64 it is 1e-13.
"""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from minibert.kernels.blocking import KC
from minibert.kernels.microkernel import host_tile

from minibert import backend, ops

TOLERANCE = {"float32": 1e-5, "float64": 1e-13}
NAMES = ["linear", "linear_gelu", "linear_gelu tanh", "feed_forward", "feed_forward tanh"]
LAYOUTS = ["C", "F", "spread", "reversed", "read-only"]
TILE = host_tile(np.float32)

dtypes, layouts, seeds = st.sampled_from(list(TOLERANCE)), st.sampled_from(LAYOUTS), st.integers(0, 2**32 - 1)
shapes = [(), (0,), (1,), (5,), (13,), (131,), (3, 7), (2, 0), (2, 1, 17), (2, 3, 2, 5), (1, 2, 1, 2, 3)]
leading = st.sampled_from(shapes)


def sizes(edge):
    """0, 1, odd sizes, primes, and sizes just around multiples of a register tile's edge."""
    near = st.builds(lambda times, off: times * edge + off, st.integers(1, 4), st.integers(-1, 1))
    return st.one_of(st.sampled_from([0, 1, 2, 7, 31, 97]), near)


widths = st.one_of(sizes(TILE.rows), sizes(TILE.columns), st.sampled_from([KC - 1, KC + 1]))
few = settings(max_examples=40, deadline=None)


def laid_out(x, layout):
    """The same numbers, in a layout that a caller may hand over."""
    if layout == "F":
        return np.asfortranarray(x)
    if layout == "spread":
        wide = np.full((*x.shape[:-1], 3 * x.shape[-1]), np.nan, x.dtype)
        wide[..., ::3] = x
        return wide[..., ::3]
    if layout == "reversed":
        every = (slice(None, None, -1),) * x.ndim
        return np.ascontiguousarray(x[every])[every]
    x.flags.writeable = layout != "read-only"
    return x


def both_ways(name, args, dy, backend_name):
    with backend(backend_name), np.errstate(all="ignore"):
        y, cache = getattr(ops, name)(*args)
        grads = getattr(ops, f"{name}_backward")(dy, cache)
    return [y, *(g for g in grads if g is not None)]


def compare(name, args, dy, dtype, layouts):
    """Kernels in a dtype, operands in any layout, against the reference in float64 on the same numbers."""
    kinds = [isinstance(a, np.ndarray) and a.dtype == dtype for a in args]
    exact = [a.astype(float) if kind else a for a, kind in zip(args, kinds, strict=True)]
    expected = both_ways(name, exact, np.asarray(dy, float)[()], "numpy")
    shaped = [laid_out(a, how) if kind else a for a, kind, how in zip(args, kinds, layouts, strict=False)]
    found = both_ways(name, shaped, laid_out(dy, layouts[-1]) if np.ndim(dy) else dy, "numba")
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == dtype
        assert np.shape(ours) == np.shape(theirs)
        np.testing.assert_array_equal(np.isfinite(ours), np.isfinite(theirs))
        np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
        finite = np.isfinite(theirs)
        atol = TOLERANCE[dtype] * np.abs(theirs[finite]).max(initial=1)
        np.testing.assert_allclose(ours[finite], theirs[finite], rtol=0, atol=atol)


def problem(which, rows, D, F, dtype, seed, bias=True):
    """Arguments of an op and the gradient of its result."""
    rng = np.random.default_rng(seed)

    def normal(*shape, of=1):
        return (rng.standard_normal(shape) * max(1, of) ** -0.5).astype(dtype)

    name, _, form = which.partition(" ")
    args = [normal(*rows, D), normal(D, F, of=D), normal(F) if bias else None]
    if name == "feed_forward":
        args += [normal(F, D, of=F), normal(D)]
    return name, args + [form == "tanh"] * (name != "linear"), normal(*rows, D if name == "feed_forward" else F)


@few
@given(st.sampled_from(NAMES), leading, widths, widths, dtypes, seeds, st.lists(layouts, min_size=7, max_size=7))
@example("linear", (), 97, 96, "float64", 0, ["C"] * 7)  # one vector
@example("linear_gelu", (5, 4, 3, 7), 64, 97, "float32", 0, ["spread"] * 7)  # more axes than a product has, with gaps
def test_layers(which, rows, D, F, dtype, seed, layouts):
    name, args, dy = problem(which, rows, D, F, dtype, seed)
    compare(name, args, dy, dtype, layouts)


@few
@given(leading, widths, widths, dtypes, seeds, st.lists(layouts, min_size=4, max_size=4))
def test_a_layer_without_bias(rows, D, F, dtype, seed, layouts):
    name, args, dy = problem("linear", rows, D, F, dtype, seed, bias=False)
    compare(name, args, dy, dtype, layouts)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("which", NAMES)
def test_nan_and_infinity_come_out_where_the_reference_gives_them(which, bad, dtype):
    """In the last row or column, which a tile at the edge computes, and elsewhere; in each operand in turn."""
    name, args, dy = problem(which, (67,), 61, 83, dtype, 0)
    for victim in [a for a in (*args, dy) if isinstance(a, np.ndarray)]:
        for place in (-1, victim.size // 2):
            kept, victim.flat[place] = victim.flat[place], bad
            compare(name, args, dy, dtype, ["C"] * 7)
            victim.flat[place] = kept


@few
@given(
    st.sampled_from([0, 1, 2, 15, 16, 17, 97]),
    st.sampled_from([0, 1, 7, 31, 64]),
    st.sampled_from([1, 2, 97, 767, 768, 769, 1543]),
    st.sampled_from([None, 1, 1000]),
    st.sampled_from([0.0, 0.3, 1.0]),
    dtypes,
    seeds,
    st.lists(layouts, min_size=4, max_size=4),
)
def test_the_vocabulary_head(N, D, V, count, ignored, dtype, seed, layouts):
    """Sizes around its chunks of words and tasks of rows; no target, some, or all ignored; divided by any count."""
    rng = np.random.default_rng(seed)
    x, weight, bias = (rng.standard_normal(shape) for shape in ((N, D), (D, V), V))
    weight /= max(1, D) ** 0.5
    labels = np.where(rng.random(N) < ignored, -100, rng.integers(0, V, N))
    args = [a.astype(dtype) for a in (x, weight, bias)] + [labels, count]
    compare("linear_cross_entropy", args, 0.7, dtype, [*layouts, "C"])
