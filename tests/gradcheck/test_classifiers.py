"""Rung 3 for the heads of tasks and their losses: every element of every input and parameter, dropout on."""

import numpy as np
import pytest

from minibert.blocks.classifiers import (
    classifier,
    classifier_backward,
    dense_classifier,
    dense_classifier_backward,
    last_token_classifier,
    last_token_classifier_backward,
    pooled_classifier,
    pooled_classifier_backward,
)
from minibert.blocks.task_losses import single_label_loss, span_loss, span_loss_backward, task_loss_backward
from minibert.gradcheck import check_gradients

B, T, D, C = 3, 5, 6, 4
RNG = np.random.default_rng(0)


def params(n_in, n_out):
    return {"weight": RNG.normal(size=(n_in, n_out)) / 2, "bias": RNG.normal(size=n_out) / 2}


def worst(forward, inputs, backward):
    y, cache = forward(inputs)
    dy = np.random.default_rng(1).normal(size=np.shape(y))
    grads = dict(zip(inputs, backward(dy, cache), strict=True))
    errors = check_gradients(lambda moved: float(np.sum(dy * forward(moved)[0])), inputs, grads)
    return max(error.relative_error for error in errors)


def test_classifier():
    inputs = {"x": RNG.normal(size=(B, T, D)), "p": params(D, C)}
    assert worst(lambda i: classifier(i["x"], i["p"], 0.3, 5), inputs, classifier_backward) <= 1e-6


def test_pooled_classifier():
    inputs = {"x": RNG.normal(size=(B, T, D)), "pooler": params(D, D), "head": params(D, C)}
    forward = lambda i: pooled_classifier(i["x"], i["pooler"], i["head"], 0.3, 5)  # noqa: E731
    assert worst(forward, inputs, pooled_classifier_backward) <= 1e-6


def test_dense_classifier():
    inputs = {"x": RNG.normal(size=(B, T, D)), "p": {"dense": params(D, D), "output": params(D, C)}}
    forward = lambda i: dense_classifier(i["x"], i["p"], 0.3, 5)  # noqa: E731
    assert worst(forward, inputs, dense_classifier_backward) <= 1e-6


def test_last_token_classifier():
    inputs = {"x": RNG.normal(size=(B, T, D)), "p": {"classes": RNG.normal(size=(C, D))}}
    forward = lambda i: last_token_classifier(i["x"], np.array([4, 0, 2]), i["p"])  # noqa: E731
    assert worst(forward, inputs, last_token_classifier_backward) <= 1e-6


def test_the_dense_head_drops_twice_and_not_the_same_units():
    x, p = np.ones((1, 1, 64)), {"dense": params(64, 64), "output": params(64, C)}
    _, cache = dense_classifier(x, p, 0.5, 5)
    before, after = cache.pooled.pooler.dense.x[0], cache.pooled.classifier.linear.x[0]
    assert 16 < (before == 0).sum() < 48
    assert 16 < (after == 0).sum() < 48
    assert ((before == 0) != (after == 0)).any()


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("count", [None, 7])
def test_single_label_loss(count, smoothing):
    logits, labels = RNG.normal(size=(B, T, C)), RNG.integers(0, C, (B, T))
    labels[0, 1:3] = -100
    _, cache = single_label_loss(logits, labels, count, smoothing)
    loss = lambda i: single_label_loss(i["z"], labels, count, smoothing)[0].loss  # noqa: E731
    (error,) = check_gradients(loss, {"z": logits}, {"z": task_loss_backward(1.0, cache)})
    assert error.relative_error <= 1e-6


def test_span_loss():
    logits, start, end = RNG.normal(size=(B, T, 2)), np.array([1, -100, 4]), np.array([2, 3, -100])

    def loss(inputs):
        first, last, _ = span_loss(inputs["z"], start, end, (None, 5))
        return (first.loss + last.loss) / 2

    cache = span_loss(logits, start, end, (None, 5))[2]
    (error,) = check_gradients(loss, {"z": logits}, {"z": span_loss_backward(1.0, cache)})
    assert error.relative_error <= 1e-6
