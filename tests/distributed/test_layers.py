"""Layers are shown as soon as they have their gradients, the last first."""

import numpy as np
import pytest
from rank_cases import CASES, build, part

from minibert import dispatch
from minibert.blocks.stack import show_layers
from minibert.tree import flatten


@pytest.mark.parametrize("case", CASES)
def test_a_layer_is_shown_before_the_next_is_computed(case):
    model, batch, calls, shown = build(case), part(case, 3, 0), [], {}
    _, plain = model.losses_and_grads(batch)

    def show(layer, grads):
        shown[layer] = calls.count("attention_backward"), flatten(grads)

    with dispatch.watch(lambda call: calls.append(call.name)), show_layers(show):
        _, grads = model.losses_and_grads(batch)
    assert [(layer, done) for layer, (done, _) in shown.items()] == [("layers.2", 1), ("layers.1", 2), ("layers.0", 3)]
    for name, array in flatten(grads).items():
        np.testing.assert_array_equal(array, flatten(plain)[name])
        layer = ".".join(name.split(".")[1:3])
        if layer in shown:
            assert any(array is leaf for leaf in shown[layer][1].values())
