"""Frozen parameters: they keep their bits, need no optimizer state, and nothing is computed for their gradients."""

import copy
import pickle

import numpy as np
import pytest
from adapter_cases import adapted, base, pairs
from op_cases import CASES

import minibert
from minibert import backend, ops
from minibert.blocks import classifiers
from minibert.errors import ConfigError
from minibert.finetuning.methods import adapt
from minibert.frozen import Frozen, freeze, frozen, is_frozen, thawed, trainable
from minibert.training.accumulation import accumulate
from minibert.tree import flatten

BACKENDS = ("numpy", "numba")
NAMES = {  # the arguments that are parameters, in the order of the gradients
    "linear": (1, 2), "embedding": (1,), "layer_norm": (1, 2), "add_norm": (2, 3), "linear_gelu": (1, 2),
    "feed_forward": (1, 2, 3, 4), "linear_cross_entropy": (1, 2), "low_rank": (1, 2),
}  # fmt: skip


def gradients(name, args):
    y, cache = getattr(ops, name)(*args)
    dy = np.random.default_rng(5).normal(size=np.shape(y))
    grads = getattr(ops, f"{name}_backward")(dy if dy.ndim else dy[()], cache)
    return y, grads if isinstance(grads, tuple) else (grads,)


@pytest.mark.parametrize("which", BACKENDS)
@pytest.mark.parametrize("name", NAMES)
def test_an_op_gives_the_same_without_the_gradients_of_what_is_frozen(name, which):
    """Each parameter alone, and all of them: None in its place, every other number as before."""
    args = CASES[name][0]
    with backend(which):
        y, full = gradients(name, args)
        offset = len(args) if name == "embedding" else 0  # ids have no gradient
        for chosen in [*((i,) for i in NAMES[name]), NAMES[name]]:
            some = [frozen(a) if i in chosen else a for i, a in enumerate(args)]
            y_some, part = gradients(name, some)
            np.testing.assert_array_equal(y_some, y)
            for i, (expected, found) in enumerate(zip(full, part, strict=True)):
                if i in chosen or offset:
                    assert found is None
                else:
                    assert not is_frozen(found)
                    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("cold", [["weight"], ["bias"], ["weight", "bias"], ["classes"]])
def test_a_head_gives_the_same_without_the_gradients_of_what_is_frozen(cold):
    """The same dx, and of the parameters no other gradients than before: what is Frozen has none."""
    rng = np.random.default_rng(0)
    p = {"weight": rng.normal(size=(6, 4)), "bias": rng.normal(size=4)}
    forward, backward = lambda p: classifiers.classifier(x, p, 0.3, 5), classifiers.classifier_backward
    x, dlogits = rng.normal(size=(3, 6)), rng.normal(size=(3, 4))
    if "classes" in cold:
        x, p, last = rng.normal(size=(3, 5, 6)), {"classes": rng.normal(size=(4, 6))}, np.array([4, 0, 2])
        forward = lambda p: classifiers.last_token_classifier(x, last, p)  # noqa: E731
        backward = classifiers.last_token_classifier_backward
    dx, grads = backward(dlogits, forward(p)[1])
    dx_some, part = backward(dlogits, forward({n: frozen(a) if n in cold else a for n, a in p.items()})[1])
    np.testing.assert_array_equal(dx_some, dx)
    part = {n: g for n, g in part.items() if g is not None}
    assert set(part) == set(p) - set(cold)
    for n, g in part.items():
        np.testing.assert_array_equal(g, grads[n])


def test_what_is_made_of_frozen_arrays_is_not_frozen():
    x = frozen(np.arange(6.0).reshape(2, 3))
    assert is_frozen(x.T)
    assert is_frozen(x[:, 1:])
    for result in (x + 1, x @ x.T, x.sum(0), np.concatenate([x, x]), np.asarray(x)[[0, 1]]):
        assert not is_frozen(result)
        assert result.flags.writeable


def test_a_frozen_array_cannot_be_written_and_thaws_in_the_same_memory():
    x = np.zeros(3)
    cold = frozen(x)
    with pytest.raises(ValueError, match="read-only"):
        cold += 1
    warm = thawed(cold)
    warm[0] = 5
    assert not is_frozen(warm)
    assert x[0] == 5


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_of_a_tree_stay_frozen(copied):
    tree = copied({"a": frozen(np.ones(3)), "b": np.ones(2)})
    assert isinstance(tree["a"], Frozen)
    assert list(trainable(tree)) == ["b"]


@pytest.mark.parametrize("which", BACKENDS)
@pytest.mark.parametrize(("name", "way"), pairs())
def test_steps_leave_frozen_bits_alone_and_move_all_others(name, way, which):
    model, batch = adapted(name, way)
    before = {n: np.array(leaf) for n, leaf in flatten(model.params).items()}
    learned = flatten(trainable(model.params))
    optimizer = minibert.AdamW(model.params, lr=0.01)
    assert set(flatten(optimizer.m)) == set(flatten(optimizer.v)) == set(learned)
    with backend(which):
        for step in range(2):
            _, grads = accumulate(model, [batch, batch], (0, step))
            assert set(flatten(grads)) == set(learned)
            optimizer.step(grads, max_grad_norm=1.0)
    for n, leaf in flatten(model.params).items():
        same = np.asarray(leaf).tobytes() == before[n].tobytes()
        assert same == (n not in learned), n


@pytest.mark.parametrize(("name", "way"), pairs())
def test_backends_agree_on_loss_and_gradients(name, way):
    results = []
    for which in BACKENDS:
        model, batch = adapted(name, way)
        with backend(which):
            results.append(model.loss_and_grads(**batch, dropout_key=(3, 1)))
    (loss, grads), (other_loss, other) = results
    assert other_loss == pytest.approx(loss, rel=1e-12)
    for n, g in flatten(grads).items():
        np.testing.assert_allclose(flatten(other)[n], g, rtol=0, atol=1e-12, err_msg=n)


@pytest.mark.parametrize(("name", "way"), pairs())
def test_gradients_are_those_of_full_training(name, way):
    """Leaving out gradients changes none of the others: thaw everything, and the same come out among all."""
    model, batch = adapted(name, way)
    loss, grads = model.loss_and_grads(**batch, dropout_key=(3, 1))
    model.params = freeze(model.params, lambda n: not n.endswith((".scale", ".rate")))
    full_loss, full = model.loss_and_grads(**batch, dropout_key=(3, 1))
    assert full_loss == loss
    for n, g in flatten(grads).items():
        np.testing.assert_array_equal(g, flatten(full)[n], err_msg=n)


def test_full_thaws_again_in_place():
    model, _ = base("bert")
    arrays = flatten(model.params)
    adapt(adapt(model, "bias"), "full")
    assert not any(is_frozen(leaf) for leaf in flatten(model.params).values())
    assert all(np.shares_memory(leaf, arrays[n]) for n, leaf in flatten(model.params).items())


def test_methods_that_do_not_exist_or_leave_nothing_are_refused():
    model, _ = base("gpt2")
    with pytest.raises(ConfigError, match="choose one of full, head"):
        adapt(model, "adapter")
    with pytest.raises(ConfigError, match="no head"):
        adapt(model, "head")
    assert model.num_trainable_parameters() == model.num_parameters()
