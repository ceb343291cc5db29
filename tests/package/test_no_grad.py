"""`no_grad` is a promise of one thread, for the time of a block; evaluation gives it."""

import threading

import numpy as np
import pytest

import minibert
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
