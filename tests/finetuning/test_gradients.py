"""Rung 3 for every way to adapt: the loss of a whole small model by every parameter that trains, dropout on."""

import pytest
from adapter_cases import adapted, pairs, put

from minibert.frozen import trainable
from minibert.gradcheck import check_direction, check_gradients
from minibert.ops import dropout_key
from minibert.tree import flatten


@pytest.mark.parametrize(("name", "way"), pairs())
def test_whole_model(name, way):
    model, batch = adapted(name, way)
    learned = trainable(model.params)
    _, grads = model.losses_and_grads(batch, (0, 1))
    assert set(flatten(grads)) == set(flatten(learned))

    def loss(moved):
        put(model, flatten(moved))
        return model.forward_loss(batch, dropout_key(0, 1), {})[0].total

    errors = check_gradients(loss, learned, grads, samples=3)
    assert max(error.relative_error for error in errors) <= 1e-6, errors
    for seed in range(2):
        assert check_direction(loss, learned, grads, seed).relative_error <= 1e-6
