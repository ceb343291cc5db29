"""The compiled attention against its NumPy reference: values, biases, masks, infinities, strides, threads.

Tolerances. Both sides round every product and every sum to eps (1.2e-7 in float32, 2.2e-16 in float64), in another
order. A score is a sum of K products, off by about eps |scale| |q| |k|, a handful of eps with the operands here; e**x
makes this absolute error a relative one of the probabilities. Errors are therefore measured against the size of what
was added up, not of the result, which may cancel to 0: with one key, for instance, the softmax is constant and dq is
0. With g = max |dout| max |v| (lengths of rows), the size of a number of dP:

    out  max |v|        dq  |scale| g max |k|        dk  |scale| g max |q| sqrt(T)
    dv   max |dout| sqrt(T)                          dbias  g sqrt(number of scores that share it)

each times dropout's 1 / (1 - rate). 40 eps of these hold with room in thousands of draws.
"""

import inspect
import itertools
import os
import platform
import subprocess
import sys
from typing import get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minibert.kernels.attention import AttentionCache, attention, attention_backward

from minibert.dispatch import REFERENCE
from minibert.errors import ConfigError

KEY = 0x9E3779B97F4A7C15
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NAMES = ("out", "dq", "dk", "dv", "dbias")
reference, reference_backward = REFERENCE["attention"], REFERENCE["attention_backward"]

dtypes = st.sampled_from([np.float32, np.float64])
few_heads = st.sampled_from([(0, 1), (1, 1), (2, 3), (3, 2), (1, 5)])
lengths = st.sampled_from([0, 1, 2, 5, 6, 7, 8, 15, 16, 17, 31, 47, 95, 96, 97, 127, 128, 129, 193, 257])
widths = st.sampled_from([0, 1, 2, 7, 8, 15, 16, 17, 31, 64])
seeds = st.integers(0, 2**32 - 1)
often = settings(max_examples=100, deadline=None)


def fused(rng, B, H, T, S, K, dtype, layout="fused"):
    """q, k, v, dout as models hand them over: views of a projection (B, T, 3, H, K); or less usual ones."""
    if layout == "fused" and S == T:
        q, k, v = rng.standard_normal((B, T, 3, H, K)).astype(dtype).transpose(2, 0, 3, 1, 4)
        return q, k, v, rng.standard_normal((B, T, H, K)).astype(dtype).swapaxes(1, 2)
    arrays = [rng.standard_normal((B, H, n, K)).astype(dtype) for n in (T, S, S, T)]
    if layout == "transposed":
        return [np.ascontiguousarray(x.swapaxes(2, 3)).swapaxes(2, 3) for x in arrays]
    if layout == "reversed":
        return [np.ascontiguousarray(x[:, ::-1, ::-1, ::-1])[:, ::-1, ::-1, ::-1] for x in arrays]
    if layout == "spread":
        wide = [np.full((B, H, 2 * x.shape[2], 3 * K), np.nan, dtype) for x in arrays]
        for w, x in zip(wide, arrays, strict=True):
            w[:, :, ::2, ::3] = x
        return [w[:, :, ::2, ::3] for w in wide]
    for x in arrays:
        x.flags.writeable = layout != "read-only"
    return arrays


@st.composite
def biases(draw, rng, shape, dtype):
    """None, a mask, or numbers, of a shape that broadcasts to (B, H, T, S)."""
    kind = draw(st.sampled_from(["none", "mask", "numbers", "infinite"]))
    if kind == "none":
        return None
    kept = tuple(draw(st.sampled_from([n, 1])) for n in shape)[draw(st.integers(0, 4)) :]
    if kind == "mask":
        return rng.random(kept) > draw(st.sampled_from([0.3, 0.9, 1.0]))
    bias = np.asarray(rng.standard_normal(kept)).astype(dtype)
    if kind == "infinite":
        bias = np.where(rng.random(kept) > 0.5, bias, dtype(-np.inf)).astype(dtype)
    return bias


def sizes(q, k, v, dout, bias, scale, rate):
    """The size of what is added up for each result, infinite and NaN operands left out."""
    factor = 1 / (1 - rate)
    q, k, v, dout = (np.where(np.isfinite(x), x, 0).astype(np.float64) for x in (q, k, v, dout))
    row = [np.linalg.norm(x, axis=-1).max(initial=0) for x in (q, k, v, dout)]
    T, scores = q.shape[2], q.shape[0] * q.shape[1] * q.shape[2] * k.shape[2]
    g = factor * row[2] * row[3]
    shared = 1 if bias is None else scores / max(1, bias.size)
    return (
        factor * np.abs(v).max(initial=0),
        abs(scale) * g * np.abs(k).max(initial=0),
        abs(scale) * g * np.abs(q).max(initial=0) * T**0.5,
        factor * np.abs(dout).max(initial=0) * T**0.5,
        g * shared**0.5,
    )


def check(q, k, v, dout, bias, scale, causal=False, rate=0.0, key=None):
    """Kernels and reference agree on out, dq, dk, dv, dbias."""
    found = []
    for forward, backward in ((attention, attention_backward), (reference, reference_backward)):
        with np.errstate(all="ignore"):
            out, cache = forward(q, k, v, bias, scale, causal, rate, key)
            found.append((out, *backward(dout, cache)))
    bounds = sizes(q, k, v, dout, bias, scale, rate)
    for name, actual, expected, size in zip(NAMES, *found, bounds, strict=True):
        if expected is None:
            assert actual is None
            continue
        assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype), name
        np.testing.assert_array_equal(np.isnan(actual), np.isnan(expected), name)
        finite = np.isfinite(expected)
        np.testing.assert_array_equal(actual[~finite], expected[~finite], name)
        error = np.abs(actual[finite] - expected[finite]).max(initial=0)
        assert error <= 40 * np.finfo(expected.dtype).eps * size, (name, error, size)


@often
@given(st.data(), dtypes, few_heads, lengths, lengths, widths, seeds)
def test_agrees_with_the_reference(data, dtype, heads, T, S, K, seed):
    rng = np.random.default_rng(seed)
    B, H = heads
    S = T if data.draw(st.booleans()) else S
    layout = data.draw(st.sampled_from(["fused", "transposed", "reversed", "spread", "read-only"]))
    q, k, v, dout = fused(rng, B, H, T, S, K, dtype, layout)
    bias = data.draw(biases(rng, (B, H, T, S), dtype))
    scale = data.draw(st.sampled_from([K**-0.5 if K else 1.0, 0.3, -0.2]))
    causal, rate = data.draw(st.booleans()), data.draw(st.sampled_from([0.0, 0.1, 0.5]))
    key = data.draw(st.sampled_from([None, 0, KEY]))
    check(q, k, v, dout, bias, scale, causal, rate, key)


@often
@given(st.data(), dtypes, lengths.filter(bool), lengths.filter(bool), seeds, st.sampled_from([np.nan, np.inf, -np.inf]))
def test_nan_and_infinity_come_out_where_the_reference_gives_them(data, dtype, T, S, seed, poison):
    rng = np.random.default_rng(seed)
    arrays = [np.array(x) for x in fused(rng, 1, 2, T, S, 8, dtype, "plain")]
    victim = arrays[data.draw(st.integers(0, 3))]
    victim.flat[data.draw(st.integers(0, victim.size - 1))] = poison
    bias = data.draw(biases(rng, (1, 2, T, S), dtype))
    causal, rate = data.draw(st.booleans()), data.draw(st.sampled_from([0.0, 0.4]))
    check(*arrays, bias, 0.3, causal, rate, KEY)


@pytest.mark.parametrize("victim", ["none", "q", "k", "v", "dout"])
@pytest.mark.parametrize(("T", "S"), [(6, 6), (5, 7)])
def test_nan_and_infinity_in_each_head(T, S, victim):
    """If causal, tiles beyond the diagonal are skipped only where all of a head is finite; dropout on."""
    rng = np.random.default_rng(0)
    places, poisons = itertools.product((0, 1), (0, 1), (0, 1, -1)), (np.nan, np.inf)
    for (b, h, place), poison, causal in itertools.product(places, poisons, (False, True)):
        arrays = dict(zip(("q", "k", "v", "dout"), fused(rng, 2, 2, T, S, 3, np.float64, "plain"), strict=True))
        if victim != "none":
            arrays[victim][b, h, place, place] = poison
        check(*arrays.values(), None, 0.3, causal, 0.4, KEY)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("T", "S"), [(300, 300), (300, 777), (777, 300)])
def test_several_blocks_of_keys(dtype, causal, T, S):
    q, k, v, dout = fused(np.random.default_rng(T), 1, 2, T, S, 24, dtype)
    bias = np.random.default_rng(S).standard_normal((2, 1, S)).astype(dtype)
    bias[:, :, : S // 2] = -np.inf  # the first block has nothing to see
    check(q, k, v, dout, bias, 0.2, causal, 0.1, KEY)


@pytest.mark.parametrize("causal", [False, True])
def test_a_query_that_sees_nothing_yields_zeros(causal):
    q, k, v, dout = fused(np.random.default_rng(0), 2, 2, 20, 10, 8, np.float32)
    mask = np.ones((2, 1, 20, 10), bool)
    mask[1] = mask[0, 0, 15] = False
    out, cache = attention(q, k, v, mask, 0.3, causal)
    dq, dk, dv, dbias = attention_backward(dout, cache)
    assert dbias is None
    assert not out[1].any()
    assert not dq[1].any()
    assert not dk[1].any()
    assert not dv[1].any()
    assert not out[0, :, 15].any()
    assert not dq[0, :, 15].any()
    if causal:
        assert not out[:, :, :10].any()


def test_probabilities_for_pictures():
    q, k, v, _ = fused(np.random.default_rng(0), 2, 2, 9, 9, 8, np.float64)
    actual = attention(q, k, v, None, 0.3, True, 0.5, KEY)[1].probs
    np.testing.assert_array_equal(actual, reference(q, k, v, None, 0.3, True)[1].probs)


def test_heads_merge_without_a_copy():
    q, k, v, dout = fused(np.random.default_rng(0), 2, 3, 9, 9, 8, np.float32)
    out, cache = attention(q, k, v, None, 0.3)
    assert np.shares_memory(out, out.swapaxes(1, 2).reshape(2, 9, 24))
    dq, dk, dv, _ = attention_backward(dout, cache)
    assert dq.base is dk.base is dv.base
    assert dq.base.shape == (2, 9, 3, 3, 8)
    np.testing.assert_array_equal(dq.base[:, :, 1].swapaxes(1, 2), dk)


def test_signatures_are_those_of_the_reference():
    for twin in (attention, attention_backward):
        original = REFERENCE[twin.__name__]
        ours, theirs = inspect.signature(twin).parameters, inspect.signature(original).parameters
        assert [(p.name, p.default, p.kind) for p in ours.values()] == [
            (p.name, p.default, p.kind) for p in theirs.values()
        ]
    assert get_type_hints(attention_backward)["cache"] is AttentionCache


def test_what_does_not_fit_is_refused():
    x = np.zeros((1, 2, 5, 4), np.float32)
    with pytest.raises(ValueError, match="are not"):
        attention(x, x[..., :3], x[..., :3], None, 1.0)
    with pytest.raises(TypeError, match="float16"):
        attention(*[x.astype(np.float16)] * 3, None, 1.0)
    with pytest.raises(ValueError, match="is not like"):
        attention_backward(x[:, :1], attention(x, x, x, None, 1.0)[1])
    huge = np.broadcast_to(x[:, :1, :1], (1 << 13, 1, 1 << 10, 4))
    with pytest.raises(ConfigError, match="32 bits"):
        attention(huge, huge, huge, None, 1.0, False, 0.1, KEY)


BITS = """
import hashlib, numba, numpy as np
from minibert.kernels.attention import AttentionCache, attention, attention_backward
rng = np.random.default_rng(0)
numba.set_num_threads({threads})
digest = hashlib.sha256()
for B, H, T, S, K in ((2, 3, 130, 130, 64), (1, 1, 400, 300, 17), (5, 4, 33, 33, 8)):
    mask = rng.random((B, 1, 1, S)) > 0.2
    for bias in (None, mask, rng.standard_normal((H, T, S)), rng.standard_normal((B, 1, T, S))):
        for dtype in (np.float32, np.float64):
            q, k, v, dout = (rng.standard_normal((B, H, n, K)).astype(dtype) for n in (T, S, S, T))
            out, cache = attention(q, k, v, bias, 0.3, True, 0.1, 12345)
            for x in (out, *attention_backward(dout, cache)):
                if x is not None:
                    digest.update(x.tobytes())
print(digest.hexdigest())
"""


def test_same_bits_whatever_the_number_of_threads():
    environment = os.environ | {"NUMBA_NUM_THREADS": "4"}
    digests = {
        subprocess.run(
            [sys.executable, "-c", BITS.format(threads=n)],
            capture_output=True, text=True, check=True, env=environment, cwd=ROOT,
        ).stdout
        for n in (1, 2, 3, 4, 4)
    }  # fmt: skip
    assert len(digests) == 1
    assert digests != {""}


REDUCED = """
import numpy as np
from minibert.kernels.microkernel import host_tile
from test_attention import KEY, check, fused
rng = np.random.default_rng(0)
for T, S, K in ((50, 50, 16), (61, 270, 17)):
    operands = fused(rng, 2, 2, T, S, K, np.float32)
    check(*operands, None, 0.3)
    check(*operands, rng.random((2, 1, 1, S)) > 0.2, 0.3, True, 0.1, KEY)
print(*host_tile(np.float32))
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="overrides the features of x86")
def test_a_processor_without_avx():
    done = subprocess.run(
        [sys.executable, "-c", REDUCED], capture_output=True, text=True, cwd=os.path.dirname(os.path.abspath(__file__)),
        env=os.environ | {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "+sse,+sse2"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "4 2 4\n"
