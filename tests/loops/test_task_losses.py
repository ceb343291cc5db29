"""Rungs 1 and 2 for the losses of tasks: the formula written as loops over scalars, and its limits."""

import math

import numpy as np
import pytest

from minibert import ops
from minibert.blocks.task_losses import multi_label_loss, regression_loss, single_label_loss, span_loss

CLOSE = {"rtol": 1e-12, "atol": 1e-14}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_smoothed_cross_entropy_by_its_definition(rng):
    logits, labels, epsilon, V = rng.normal(size=(2, 3, 5)), np.array([[4, -100, 0], [-100, -100, 2]]), 0.3, 5
    total = 0.0
    for b, t in np.ndindex(2, 3):
        if labels[b, t] == -100:
            continue
        norm = sum(math.exp(z) for z in logits[b, t])
        for v in range(V):
            q = epsilon / V + (1 - epsilon if v == labels[b, t] else 0)
            total -= q * math.log(math.exp(logits[b, t, v]) / norm)
    np.testing.assert_allclose(ops.smoothed_cross_entropy(logits, labels, epsilon)[0], total / 3, **CLOSE)
    np.testing.assert_allclose(ops.smoothed_cross_entropy(logits, labels, epsilon, 7)[0], total / 7, **CLOSE)


def test_without_smoothing_it_is_cross_entropy(rng):
    logits, labels = rng.normal(size=(2, 3, 5)), np.array([[4, -100, 0], [-100, -100, 2]])
    smoothed, cache = ops.smoothed_cross_entropy(logits, labels, 0.0)
    plain, plain_cache = ops.cross_entropy(logits, labels)
    np.testing.assert_allclose(smoothed, plain, **CLOSE)
    np.testing.assert_allclose(
        ops.smoothed_cross_entropy_backward(1.0, cache), ops.cross_entropy_backward(1.0, plain_cache), **CLOSE
    )


def test_smoothed_cross_entropy_without_a_target_is_zero(rng):
    loss, cache = ops.smoothed_cross_entropy(rng.normal(size=(3, 5)), np.full(3, -100), 0.1)
    assert loss == 0
    np.testing.assert_array_equal(ops.smoothed_cross_entropy_backward(1.0, cache), np.zeros((3, 5)))


def test_the_sharpest_answer_is_not_the_best_with_smoothed_labels():
    """The minimum is where p = q: at logits log q the gradient vanishes, and a surer model loses."""
    epsilon, label = 0.2, np.array([1])
    q = np.array([[0.05, 0.85, 0.05, 0.05]])
    loss, cache = ops.smoothed_cross_entropy(np.log(q), label, epsilon)
    np.testing.assert_allclose(ops.smoothed_cross_entropy_backward(1.0, cache), 0, atol=1e-15)
    assert loss < ops.smoothed_cross_entropy(3 * np.log(q), label, epsilon)[0]


def test_binary_cross_entropy_by_its_definition(rng):
    logits, labels = rng.normal(size=(3, 5)), rng.random((3, 5)).round(1)
    total = 0.0
    for z, y in zip(logits.flat, labels.flat, strict=True):
        p = 1 / (1 + math.exp(-z))
        total -= y * math.log(p) + (1 - y) * math.log(1 - p)
    np.testing.assert_allclose(ops.binary_cross_entropy(logits, labels)[0], total / 15, **CLOSE)
    np.testing.assert_allclose(ops.binary_cross_entropy(logits, labels, 7)[0], total / 7, **CLOSE)


def test_binary_cross_entropy_does_not_overflow():
    loss, cache = ops.binary_cross_entropy(np.array([1e4, -1e4, 1e4, -1e4]), np.array([1, 0, 0, 1]))
    assert loss == 2e4 / 4
    np.testing.assert_array_equal(ops.binary_cross_entropy_backward(4.0, cache), [0, 0, 1, -1])


def test_mean_squared_error_by_its_definition(rng):
    x, y = rng.normal(size=(2, 3, 5))
    total = sum((a - b) ** 2 for a, b in zip(x.flat, y.flat, strict=True))
    np.testing.assert_allclose(ops.mean_squared_error(x, y)[0], total / 15, **CLOSE)
    np.testing.assert_allclose(ops.mean_squared_error(x, y, 7)[0], total / 7, **CLOSE)


def test_what_counts_as_correct():
    part, _ = single_label_loss(np.eye(3)[[0, 1, 1, 2]], np.array([0, 1, 2, -100]), None)
    assert part[1:] == (2, 3)
    part, _ = multi_label_loss(np.array([[2.0, -1.0], [0.5, 3.0]]), np.array([[1, 0], [0, 1]]), None)
    assert part[1:] == (3, 4)
    part, _ = regression_loss(np.array([[1.4], [2.6], [-3.0]]), np.array([[1.0], [2.0], [-3.4]]), None)
    assert part[1:] == (2, 3)


def test_start_and_end_are_two_losses_with_targets_of_their_own(rng):
    logits = rng.normal(size=(3, 5, 2))
    start, end = np.array([1, -100, 4]), np.array([2, -100, -100])
    first, last, _ = span_loss(logits, start, end, (None, None))
    assert (first.count, last.count) == (2, 1)
    assert first.loss == pytest.approx(float(ops.cross_entropy(logits[..., 0], start)[0]), rel=1e-15)
    assert last.loss == pytest.approx(float(ops.cross_entropy(logits[..., 1], end)[0]), rel=1e-15)
