"""Minus infinity as a mask: what it hides weighs nothing, has no gradient, and makes nothing else infinite."""

import numpy as np
import pytest
from extreme_cases import BACKENDS, DTYPES, arguments, results

pytest.importorskip("minibert.kernels", reason="needs the extra `numba`")


def on_both(test):
    """Run a test on each backend, in each dtype."""
    return pytest.mark.parametrize("backend", BACKENDS)(pytest.mark.parametrize("dtype", DTYPES)(test))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("rate", [0.0, 0.3])
@pytest.mark.parametrize("bias_shape", [(3, 2, 5, 9), (3, 1, 1, 9), (5, 9)])
@on_both
def test_attention_with_keys_that_nobody_sees(bias_shape, rate, causal, dtype, backend):
    args = arguments("attention", 0, dtype)
    bias = np.random.default_rng(0).normal(size=bias_shape).astype(dtype)
    bias[..., 2:4] = -np.inf
    dy = args.pop("dy")
    args |= {"bias": bias, "causal": causal, "rate": rate, "key": 11, "dy": dy}
    out, dq, dk, dv, dbias = results("attention", args, backend)
    assert all(np.isfinite(x).all() for x in (out, dq, dk, dv, dbias))
    assert not dk[:, :, 2:4].any()
    assert not dv[:, :, 2:4].any()
    assert not dbias[..., 2:4].any()
    assert dbias.any()


@pytest.mark.parametrize("kind", ["numbers", "booleans"])
@on_both
def test_attention_with_queries_that_see_nothing(kind, dtype, backend):
    args = arguments("attention", 0, dtype)
    bias = np.zeros((3, 1, 5, 9), dtype)
    bias[1, :, 3] = bias[2] = -np.inf  # one query, and all of another sequence
    args["bias"] = bias if kind == "numbers" else bias == 0
    found = results("attention", args, backend)
    assert all(np.isfinite(x).all() for x in found)
    out, dq = found[:2]
    for rows in (out, dq):
        assert not rows[1, :, 3].any()
        assert not rows[2].any()
        assert rows[0].any()


@pytest.mark.parametrize("size", [1e4, 1.0])
@on_both
def test_classes_that_cannot_be(size, dtype, backend):
    """Cross-entropy with logits of minus infinity where no label is: their probability is 0."""
    args = arguments("cross_entropy", 0, dtype)
    args["logits"] = size * args["logits"]
    args["logits"][:, [2, 5]] = -np.inf
    loss, dlogits = results("cross_entropy", args, backend)
    assert np.isfinite(loss)
    assert np.isfinite(dlogits).all()
    assert not dlogits[:, [2, 5]].any()
    assert dlogits[:, 0].any()


@on_both
def test_words_that_cannot_be(dtype, backend):
    args = arguments("linear_cross_entropy", 0, dtype)
    args["bias"][[2, 5]] = -np.inf
    found = results("linear_cross_entropy", args, backend)
    assert all(np.isfinite(x).all() for x in found)
    _, _, dweight, dbias = found
    assert not dweight[:, [2, 5]].any()
    assert not dbias[[2, 5]].any()


@on_both
def test_a_label_that_cannot_be_costs_infinitely_much(dtype, backend):
    """No accident: -log 0. Its gradient is finite all the same."""
    args = arguments("cross_entropy", 0, dtype)
    args["logits"][0, args["labels"][0]] = -np.inf
    loss, dlogits = results("cross_entropy", args, backend)
    assert loss == np.inf
    assert np.isfinite(dlogits).all()
