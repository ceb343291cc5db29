"""`no_grad` is a promise of one thread, for the time of a block; evaluation gives it."""

import importlib
import threading
import weakref

import numpy as np
import pytest

import minibert
from minibert.blocks.stack import LayerSettings
from minibert.dispatch import grad_enabled
from minibert.evaluation.memory import training_memory
from minibert.evaluation.pretraining import evaluate
from minibert.tree import flatten


def test_the_promise_ends_with_its_block_even_when_that_fails():
    assert grad_enabled()
    with minibert.no_grad():
        with minibert.no_grad():
            assert not grad_enabled()
        assert not grad_enabled()
    with pytest.raises(KeyError), minibert.no_grad():
        raise KeyError
    assert grad_enabled()


def test_other_threads_are_not_bound_by_it():
    seen = []
    with minibert.no_grad():
        thread = threading.Thread(target=lambda: seen.append(grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


@pytest.fixture
def model_and_batch():
    config = minibert.BertConfig(23, 12, 2, 3, 20, max_position_embeddings=9)
    ids = np.random.default_rng(0).integers(0, 23, (3, 7))
    return minibert.BertForPreTraining(config, seed=0), {"input_ids": ids, "labels": ids}


def test_evaluation_promises_that_no_backward_follows(model_and_batch):
    model, batch = model_and_batch
    seen = []

    def batches():
        for _ in range(2):
            seen.append(grad_enabled())  # the caller's own code may train
            yield batch

    with minibert.watch(lambda call: seen.append(grad_enabled())):
        evaluate(model, batches())
    assert seen.count(True) == 2
    assert seen.count(False) > 2


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_memory_of_a_gradient_does_not_count_as_activations(model_and_batch, backend):
    """With the kernels, the head's logits wait in the memory of a gradient: that is counted with the gradients."""
    if backend == "numba":
        pytest.importorskip("numba", reason="needs the extra `numba`")
    model, batch = model_and_batch
    with minibert.backend(backend):
        expected = training_memory(model, batch, 1).activations
        with minibert.no_grad():
            assert training_memory(model, batch, 1).activations == expected


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_caches_are_used_up_only_where_each_backward_is_the_only_one(model_and_batch, backend):
    if backend == "numba":
        pytest.importorskip("numba", reason="needs the extra `numba`")
    model, batch = model_and_batch
    with minibert.backend(backend):
        _, cache = model.forward_loss(batch, None, {})
        twice = [flatten(model.backward(cache)) for _ in range(2)]
        with minibert.dispatch.backward_once():
            once = flatten(model.backward(cache))
    for grads in (twice[1], once):
        assert all(np.array_equal(grads[name], grad) for name, grad in twice[0].items())
    assert cache.bert.encoder == []  # let go of, layer by layer


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_a_layer_lets_go_of_its_feed_forward_cache_before_attention_begins(kind, monkeypatch):
    """The memory of a step rests on it: gradients of attention take the place of what was used before."""
    block = importlib.import_module(f"minibert.blocks.{kind}")
    rng = np.random.default_rng(0)
    shapes = {"up": (6, 8), "down": (8, 6), "qkv": (6, 18), "output": (6, 6)}
    linear = {name: {"weight": rng.normal(size=s), "bias": rng.normal(size=s[1])} for name, s in shapes.items()}
    norm = {"gamma": np.ones(6), "beta": np.zeros(6)}
    parts = [{name: linear[name] for name in names} for names in (("qkv", "output"), ("up", "down"))]
    p = {"attention": parts[0], "attention_norm": norm, "feed_forward": parts[1], "feed_forward_norm": norm}
    settings = LayerSettings(3, "gelu", 1e-12, 0.0, 0.0, kind == "decoder")
    _, cache = getattr(block, f"{kind}_layer")(rng.normal(size=(2, 5, 6)), p, settings, None, None)
    wide, held = weakref.ref(cache.feed_forward.down.x), [cache]
    assert wide().shape == (2, 5, 8)
    del cache
    alive, backward = [], block.self_attention_backward
    monkeypatch.setattr(block, "self_attention_backward", lambda *args: (alive.append(wide()), backward(*args))[1])
    getattr(block, f"{kind}_layer_backward")(rng.normal(size=(2, 5, 6)), held.pop())
    assert alive == [None]


def test_whoever_watches_finds_caches_as_they_were(model_and_batch):
    """The kernels' feed-forward makes its cache's u to gelu(u) where nobody can see it."""
    pytest.importorskip("numba", reason="needs the extra `numba`")
    model, batch = model_and_batch
    calls = []
    with minibert.backend("numba"), minibert.watch(calls.append):
        model.loss_and_grads(**batch)
    caches = [call.result[1] for call in calls if call.name == "feed_forward"]
    assert len(caches) == 2
    for cache in caches:
        x, weight, u, *_ = cache.up
        bias = next(call.args[2] for call in calls if call.name == "feed_forward" and call.result[1] is cache)
        np.testing.assert_allclose(u.reshape(*x.shape[:-1], -1), x @ weight + bias, rtol=0, atol=1e-6)
