"""Rung 3 for models with the heads of tasks: the loss by every parameter, dropout on, padded batches."""

import numpy as np
import pytest
from task_cases import CASES, build, loss_of

from minibert.gradcheck import check_direction, check_gradients
from minibert.tree import flatten


def prepare(name):
    model, batch = build(name)
    _, cache = model.forward_loss(batch, 7, {})
    return model, model.params, loss_of(model, batch), model.backward(cache)


@pytest.mark.parametrize("name", CASES)
def test_whole_model(name):
    model, params, loss, grads = prepare(name)
    assert set(flatten(grads)) == set(flatten(model.params))
    for seed in range(2):
        assert check_direction(loss, params, grads, seed).relative_error <= 1e-6
    heads = {part: params[part] for part in ("pooler", "task_head") if part in params}
    errors = check_gradients(lambda moved: loss({**params, **moved}), heads, {part: grads[part] for part in heads})
    assert max(error.relative_error for error in errors) <= 1e-6, errors


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_every_element_of_the_whole_model(name):
    model, params, loss, grads = prepare(name)
    errors = check_gradients(loss, params, grads)
    assert sum(error.checked for error in errors) == model.num_parameters()
    assert max(error.relative_error for error in errors) <= 1e-6, errors


@pytest.mark.parametrize("name", [name for name in CASES if "one label" in name or "spans" in name])
def test_a_planted_mistake_in_any_parameter_is_caught(name):
    """Each gradient in turn, its largest element off by a hundredth: a random direction sees it."""
    _, params, loss, grads = prepare(name)
    largest = max(abs(gradient).max() for gradient in flatten(grads).values())
    for parameter, gradient in flatten(grads).items():
        if abs(gradient).max() < 1e-9 * largest:  # zero: a constant added to all scores of a softmax changes nothing
            continue
        place = np.unravel_index(abs(gradient).argmax(), gradient.shape)
        right = gradient[place]
        gradient[place] *= 1.01
        assert check_direction(loss, params, grads).relative_error > 1e-6, parameter
        gradient[place] = right
