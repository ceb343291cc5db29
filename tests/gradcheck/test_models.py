"""Rung 3 for GPT-2, GPT and RoBERTa: the loss by every parameter of a small model, dropout on, padded batches."""

import numpy as np
import pytest
from model_cases import CASES, build, loss_of

from minibert.gradcheck import check_direction, check_gradients
from minibert.ops import dropout_key
from minibert.tree import flatten


def prepare(name):
    model, batch = build(name)
    _, cache = model.forward_loss(batch, 7, {})
    return model, model.params, loss_of(model, batch), model.backward(cache)


@pytest.mark.parametrize("name", CASES)
def test_whole_model(name):
    _, params, loss, grads = prepare(name)
    errors = check_gradients(loss, params, grads, samples=3)
    assert max(error.relative_error for error in errors) <= 1e-6, errors
    for seed in range(3):
        assert check_direction(loss, params, grads, seed).relative_error <= 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_every_element_of_the_whole_model(name):
    model, params, loss, grads = prepare(name)
    errors = check_gradients(loss, params, grads)
    assert sum(error.checked for error in errors) == model.num_parameters()
    assert max(error.relative_error for error in errors) <= 1e-6, errors


@pytest.mark.parametrize("name", CASES)
def test_a_planted_mistake_in_any_parameter_is_caught(name):
    """Each gradient in turn, its largest element off by a hundredth: a random direction sees it."""
    _, params, loss, grads = prepare(name)
    for parameter, gradient in flatten(grads).items():
        place = np.unravel_index(abs(gradient).argmax(), gradient.shape)
        right = gradient[place]
        gradient[place] *= 1.01
        assert check_direction(loss, params, grads).relative_error > 1e-6, parameter
        gradient[place] = right


def test_the_loss_drops_by_its_key_and_divides_by_the_counts_given():
    model, batch = build("gpt2")
    loss, grads = model.loss_and_grads(**batch)
    assert loss == loss_of(model, batch, None)(model.params)
    dropped, _ = model.loss_and_grads(**batch, dropout_key=(3, 1))
    assert dropped == loss_of(model, batch, dropout_key(3, 1))(model.params) != loss
    counts = {name: 2 * count for name, count in model.count_targets(batch).items()}
    half, halves = model.loss_and_grads(**batch, target_counts=counts)
    assert half == pytest.approx(loss / 2, rel=1e-14)
    for name, gradient in flatten(halves).items():
        np.testing.assert_allclose(gradient, flatten(grads)[name] / 2, rtol=0, atol=1e-14, err_msg=name)
