"""Rung 3 for what learns from pairs: losses and pooling, every element; the whole model, dropout on, padded batches."""

import numpy as np
import pytest
from pair_cases import CASES, build, without_pooler
from task_cases import loss_of

from minibert.blocks.cosines import all_cosines, all_cosines_backward, pair_cosines, pair_cosines_backward
from minibert.blocks.pair_losses import (
    contrastive_loss,
    contrastive_loss_backward,
    cosine_regression_loss,
    cosine_regression_loss_backward,
)
from minibert.blocks.text_vectors import text_vectors, text_vectors_backward
from minibert.gradcheck import check_direction, check_gradients, check_op
from minibert.tree import flatten

RNG = np.random.default_rng(0)
U, V, SCORES = RNG.normal(size=(5, 7)), RNG.normal(size=(5, 7)), np.linspace(-1, 1, 5)
MASK = np.array([[1, 1, 0], [1, 1, 1], [1, 0, 0], [0, 0, 0]], bool)


@pytest.mark.parametrize(
    ("forward", "backward", "args"),
    [
        (pair_cosines, pair_cosines_backward, (U, V)),
        (all_cosines, all_cosines_backward, (U, V)),
        (all_cosines, all_cosines_backward, (U, V[:3])),
        (text_vectors, text_vectors_backward, (RNG.normal(size=(4, 3, 5)), MASK, "mean")),
        (text_vectors, text_vectors_backward, (RNG.normal(size=(4, 3, 5)), MASK, "cls")),
    ],
)
def test_backward_is_the_derivative(forward, backward, args):
    assert max(error.relative_error for error in check_op(forward, backward, *args)) <= 1e-6


@pytest.mark.parametrize("count", [None, 11])
@pytest.mark.parametrize("which", ["cosine", "contrastive"])
def test_losses(which, count):
    def forward(u, v):
        return cosine_regression_loss(u, v, SCORES, count) if which == "cosine" else contrastive_loss(u, v, 3.0, count)

    backward = cosine_regression_loss_backward if which == "cosine" else contrastive_loss_backward
    du, dv = backward(0.7, forward(U, V)[1])
    errors = check_gradients(lambda i: 0.7 * forward(i["u"], i["v"])[0].loss, {"u": U, "v": V}, {"u": du, "v": dv})
    assert sum(error.checked for error in errors) == 70
    assert max(error.relative_error for error in errors) <= 1e-6, errors


def prepare(case):
    model, batch = build(*case)
    model.config.hidden_dropout_prob = model.config.attention_probs_dropout_prob = 0.3
    _, cache = model.forward_loss(batch, 7, {})
    full = loss_of(model, batch)
    rest = {"pooler": model.params["pooler"]}
    return without_pooler(model.params), lambda params: full({**params, **rest}), model.backward(cache)


@pytest.mark.parametrize("case", CASES)
def test_whole_model(case):
    params, loss, grads = prepare(case)
    assert set(flatten(grads)) == set(flatten(params))
    for seed in range(2):
        assert check_direction(loss, params, grads, seed).relative_error <= 1e-6
    errors = check_gradients(loss, params, grads, samples=3)
    assert max(error.relative_error for error in errors) <= 1e-6, errors


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_every_element_of_the_whole_model(case):
    errors = check_gradients(*(prepare(case)[i] for i in (1, 0, 2)))
    assert max(error.relative_error for error in errors) <= 1e-6, errors
