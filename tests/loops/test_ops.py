"""Rung 1 and 2 of the ladder: each op against its formula written as Python loops over scalars.

All in float64 on small odd sizes. Loops and NumPy sum in another order, so they differ by a few
units in the last place of numbers near 1: 1e-13 holds everywhere.
"""

import math

import numpy as np
import pytest

from minibert import ops
from minibert.ops.dropout import keep_scale

CLOSE = {"rtol": 1e-13, "atol": 1e-13}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_linear(rng):
    x, W, b = rng.normal(size=(3, 5)), rng.normal(size=(5, 4)), rng.normal(size=4)
    y = [[sum(x[n, i] * W[i, o] for i in range(5)) + b[o] for o in range(4)] for n in range(3)]
    np.testing.assert_allclose(ops.linear(x, W, b)[0], y, **CLOSE)
    np.testing.assert_allclose(ops.linear(x, W)[0], y - b, **CLOSE)


def test_low_rank(rng):
    x, A, B = rng.normal(size=(3, 5)), rng.normal(size=(5, 2)), rng.normal(size=(2, 4))
    mx = x * keep_scale(x.shape, 0.4, 11, x.dtype)
    y = [
        [0.7 * sum(mx[n, i] * A[i, k] * B[k, o] for i in range(5) for k in range(2)) for o in range(4)]
        for n in range(3)
    ]
    np.testing.assert_allclose(ops.low_rank(x, A, B, 0.7, 0.4, 11)[0], y, **CLOSE)


def test_linear_does_not_change_its_input(rng):
    x, W, b = rng.normal(size=(3, 5)), rng.normal(size=(5, 4)), rng.normal(size=4)
    before = x.copy(), W.copy(), b.copy()
    ops.linear(x, W, b)
    for array, copy in zip((x, W, b), before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_embedding_is_a_product_with_one_hot_rows(rng):
    ids, table = rng.integers(0, 7, (2, 3)), rng.normal(size=(7, 5))
    y = [
        [[sum((ids[b, t] == v) * table[v, d] for v in range(7)) for d in range(5)] for t in range(3)] for b in range(2)
    ]
    np.testing.assert_array_equal(ops.embedding(ids, table)[0], y)


def test_embedding_backward_adds_up_repeated_ids(rng):
    ids, dy = np.array([[3, 0, 3], [3, 6, 0]]), rng.normal(size=(2, 3, 5))
    dtable = np.zeros((7, 5))
    for b in range(2):
        for t in range(3):
            for d in range(5):
                dtable[ids[b, t], d] += dy[b, t, d]
    _, cache = ops.embedding(ids, np.zeros((7, 5)))
    np.testing.assert_allclose(ops.embedding_backward(dy, cache), dtable, **CLOSE)


def test_embedding_backward_adds_to_what_is_there(rng):
    ids, dy, before = np.array([3, 0, 3]), rng.normal(size=(3, 5)), rng.normal(size=(7, 5))
    _, cache = ops.embedding(ids, np.zeros((7, 5)))
    into = before.copy()
    assert ops.embedding_backward(dy, cache, into) is into
    np.testing.assert_allclose(into, before + ops.embedding_backward(dy, cache), **CLOSE)


def test_embedding_of_no_ids(rng):
    y, cache = ops.embedding(np.zeros((0, 3), int), rng.normal(size=(7, 5)))
    assert y.shape == (0, 3, 5)
    np.testing.assert_array_equal(ops.embedding_backward(y, cache), np.zeros((7, 5)))


def test_gelu(rng):
    x = rng.normal(size=20) * 3
    y = [v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x]
    np.testing.assert_allclose(ops.gelu(x)[0], y, **CLOSE)


def test_gelu_tanh(rng):
    x = rng.normal(size=20) * 3
    y = [0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))) for v in x]
    np.testing.assert_allclose(ops.gelu_tanh(x)[0], y, **CLOSE)


def test_the_two_gelus_differ_by_less_than_the_docstring_says():
    x = np.linspace(-10, 10, 100_001)
    difference = np.abs(ops.gelu(x)[0] - ops.gelu_tanh(x)[0]).max()
    assert 4e-4 < difference < 5e-4


def test_tanh(rng):
    x = rng.normal(size=20)
    np.testing.assert_allclose(ops.tanh(x)[0], [math.tanh(v) for v in x], **CLOSE)


def test_layer_norm(rng):
    x, gamma, beta, eps = rng.normal(size=(3, 7)), rng.normal(size=7), rng.normal(size=7), 1e-3
    y = np.empty_like(x)
    for n in range(3):
        mean = sum(x[n]) / 7
        var = sum((v - mean) ** 2 for v in x[n]) / 7
        for d in range(7):
            y[n, d] = gamma[d] * (x[n, d] - mean) / math.sqrt(var + eps) + beta[d]
    np.testing.assert_allclose(ops.layer_norm(x, gamma, beta, eps)[0], y, **CLOSE)


def test_add_norm_is_the_composition_of_its_parts(rng):
    x, residual, gamma, beta = *rng.normal(size=(2, 3, 7)), *rng.normal(size=(2, 7))
    dropped = x * keep_scale(x.shape, 0.4, 5, x.dtype)
    expected, _ = ops.layer_norm(residual + dropped, gamma, beta, 1e-3)
    np.testing.assert_array_equal(ops.add_norm(x, residual, gamma, beta, 1e-3, 0.4, 5)[0], expected)


def test_attention_with_a_bias_of_floats(rng):
    B, H, T, S, K, scale = 2, 3, 4, 5, 6, 0.3
    q, k, v = rng.normal(size=(B, H, T, K)), rng.normal(size=(B, H, S, K)), rng.normal(size=(B, H, S, K))
    bias = rng.normal(size=(1, H, T, S))
    out = np.empty((B, H, T, K))
    for b, h, t in np.ndindex(B, H, T):
        s = [scale * sum(q[b, h, t, d] * k[b, h, j, d] for d in range(K)) + bias[0, h, t, j] for j in range(S)]
        total = sum(math.exp(z) for z in s)
        for d in range(K):
            out[b, h, t, d] = sum(math.exp(s[j]) / total * v[b, h, j, d] for j in range(S))
    np.testing.assert_allclose(ops.attention(q, k, v, bias, scale)[0], out, **CLOSE)


def test_attention_mask_equals_minus_infinity(rng):
    q, k, v = rng.normal(size=(3, 2, 3, 5, 4))
    mask = rng.random((2, 1, 5, 5)) < 0.6
    bias = np.where(mask, 0.0, -np.inf)
    np.testing.assert_array_equal(ops.attention(q, k, v, mask, 0.5)[0], ops.attention(q, k, v, bias, 0.5)[0])


def test_attention_over_hidden_keys_equals_attention_without_them(rng):
    q, k, v = rng.normal(size=(3, 2, 3, 5, 4))
    mask = np.array([True, True, False, True, False])
    seen = ops.attention(q, k[:, :, mask], v[:, :, mask], None, 0.5)[0]
    np.testing.assert_allclose(ops.attention(q, k, v, mask[None, None, None], 0.5)[0], seen, **CLOSE)


def test_a_query_that_sees_nothing_gets_zeros_and_gives_no_gradient(rng):
    q, k, v = rng.normal(size=(3, 1, 2, 3, 4))
    mask = np.ones((1, 1, 3, 3), bool)
    mask[0, 0, 1] = False
    out, cache = ops.attention(q, k, v, mask, 0.5)
    np.testing.assert_array_equal(out[:, :, 1], 0)
    assert (out[:, :, 0] != 0).all()
    dq, dk, dv, dbias = ops.attention_backward(np.ones_like(out), cache)
    np.testing.assert_array_equal(dq[:, :, 1], 0)
    assert np.isfinite(dk).all()
    assert np.isfinite(dv).all()
    assert dbias is None


def test_attention_does_not_overflow(rng):
    q, k, v = rng.normal(size=(3, 1, 2, 3, 4))
    out, _ = ops.attention(1e4 * q, 1e4 * k, v, None, 1.0)
    assert np.isfinite(out).all()


def test_cross_entropy_is_the_mean_over_counted_targets(rng):
    logits, labels = rng.normal(size=(2, 3, 5)), np.array([[4, -100, 0], [-100, -100, 2]])
    losses = []
    for b, t in np.ndindex(2, 3):
        if labels[b, t] != -100:
            total = sum(math.exp(z) for z in logits[b, t])
            losses.append(-math.log(math.exp(logits[b, t, labels[b, t]]) / total))
    assert len(losses) == 3
    np.testing.assert_allclose(ops.cross_entropy(logits, labels)[0], sum(losses) / 3, **CLOSE)
    np.testing.assert_allclose(ops.cross_entropy(logits, labels, count=7)[0], sum(losses) / 7, **CLOSE)


def test_cross_entropy_without_a_target_is_zero(rng):
    loss, cache = ops.cross_entropy(rng.normal(size=(3, 5)), np.full(3, -100))
    assert loss == 0
    np.testing.assert_array_equal(ops.cross_entropy_backward(1.0, cache), 0)


def test_cross_entropy_does_not_overflow():
    loss, _ = ops.cross_entropy(np.array([[1e4, -1e4]]), np.array([1]))
    assert loss == 2e4


def test_linear_cross_entropy_is_the_composition_and_tells_the_prediction(rng):
    x, W, b, labels = rng.normal(size=(6, 4)), rng.normal(size=(4, 9)), rng.normal(size=9), rng.integers(0, 9, 6)
    logits, _ = ops.linear(x, W, b)
    loss, cache = ops.linear_cross_entropy(x, W, b, labels)
    assert loss == ops.cross_entropy(logits, labels)[0]
    np.testing.assert_array_equal(cache.predictions, logits.argmax(-1))


def test_adamw_by_its_definition(rng):
    theta, g, m, v = rng.normal(size=(4, 5)) ** [[1], [1], [1], [2]]
    t, lr, beta1, beta2, eps, decay, scale = 3, 0.1, 0.9, 0.99, 1e-3, 0.2, 0.5
    expected = []
    for p, gi, mi, vi in zip(theta, scale * g, m, v, strict=True):
        mi = beta1 * mi + (1 - beta1) * gi
        vi = beta2 * vi + (1 - beta2) * gi**2
        mhat, vhat = mi / (1 - beta1**t), vi / (1 - beta2**t)
        expected.append((p - lr * (mhat / (math.sqrt(vhat) + eps) + decay * p), mi, vi))
    before = g.copy()
    ops.adamw([theta], [g], [m], [v], t, lr, beta1, beta2, eps, decay, scale)
    np.testing.assert_allclose([theta, m, v], np.array(expected).T, **CLOSE)
    np.testing.assert_array_equal(g, before)


def test_soft_threshold_by_its_definition(rng):
    theta = rng.normal(size=(3, 50))
    expected = [[math.copysign(max(abs(x) - 0.3, 0), x) for x in row] for row in theta]
    arrays = [theta[:2].copy(), theta[2].copy()]
    ops.soft_threshold(arrays, 0.3)
    np.testing.assert_allclose(np.vstack(arrays), expected, **CLOSE)
    zero = np.abs(theta) <= 0.3
    assert 0 < zero.sum() < zero.size
    np.testing.assert_array_equal(np.vstack(arrays) == 0, zero)  # exactly, not nearly


def test_soft_threshold_is_the_minimum_of_its_problem(rng):
    theta = rng.normal(size=200)
    x = theta.copy()
    ops.soft_threshold([x], 0.3)

    def objective(x):
        return 0.3 * np.abs(x) + (x - theta) ** 2 / 2

    for other in (x + 1e-3, x - 1e-3, theta, np.zeros_like(x)):
        assert (objective(x) <= objective(other)).all()


def test_square_sum_does_not_lose_small_terms():
    x = np.full(1_000_001, 1e-4, np.float32)
    x[0] = 1e4
    assert ops.square_sum([x[:7], x[7:]]) == pytest.approx(1e8 + 1e6 * float(x[1]) ** 2, rel=1e-12)
