"""What is frozen costs less: counted products and counted bytes, not seconds."""

import numpy as np
import pytest
from adapter_cases import adapted

import minibert
from minibert.frozen import trainable
from minibert.tree import flatten, tree_size


def weight_products(model, batch):
    """The shapes of all gradients that the backward ops of one step made for weights and tables."""
    made = []

    def note(call):
        if call.name.endswith("_backward") and call.name not in ("attention_backward", "dropout_backward"):
            result = call.result if isinstance(call.result, tuple) else (call.result,)
            gradients = result if call.name == "embedding_backward" else result[1:]
            made.extend(g.shape for g in gradients if g is not None and g.ndim == 2)

    with minibert.watch(note):
        model.loss_and_grads(**batch)
    return made


@pytest.mark.parametrize("which", ["numpy", "numba"])
@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_no_product_is_made_for_the_gradient_of_a_frozen_weight(name, which):
    with minibert.backend(which):
        for way, expected in {"bias": set(), "prompt": {(2, 6)}, "lora": {(6, 2), (2, 6), (2, 18)}}.items():
            model, batch = adapted(name, way)
            heads = {(6, 2), (6, 6)} if name == "bert" and way == "bias" else set()  # BERT's heads train as well
            assert set(weight_products(model, batch)) <= expected | heads, way
    full, batch = adapted(name, "full")
    assert {(6, 18), (6, 10), (10, 6), (11, 6)} <= set(weight_products(full, batch))


@pytest.mark.parametrize("which", ["numpy", "numba"])
def test_backward_stops_above_the_last_layer_when_only_the_head_trains(which):
    model, batch = adapted("roberta", "head")
    calls = []
    with minibert.backend(which), minibert.watch(lambda call: calls.append(call.name)):
        model.loss_and_grads(**batch)
    assert calls.count("attention") == 2
    assert calls.count("attention_backward") == 0
    assert "embedding_backward" not in calls


def test_backward_stops_at_the_lowest_layer_that_trains():
    model, batch = adapted("roberta", "full")
    model.params = minibert.frozen.freeze(model.params, lambda n: n.startswith(("encoder.layers.1", "mlm_head")))
    calls = []
    with minibert.watch(lambda call: calls.append(call.name)):
        _, grads = model.loss_and_grads(**batch)
    assert calls.count("attention_backward") == 1
    assert set(grads["encoder"]["layers"]) == {"1"}


@pytest.mark.parametrize("way", ["bias", "lora", "prompt"])
def test_gradients_and_optimizer_take_the_memory_of_what_trains(way):
    model, batch = adapted("bert", way)
    _, grads = model.loss_and_grads(**batch)
    optimizer = minibert.AdamW(model.params)
    learned = tree_size(trainable(model.params))
    assert tree_size(grads) == tree_size(optimizer.m) == tree_size(optimizer.v) == learned
    assert learned < 0.3 * sum(np.asarray(leaf).size for leaf in flatten(model.params).values())
