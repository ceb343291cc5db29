"""A trace holds what ran: every op in order, its place, its numbers; and it can change them."""

import numpy as np
import pytest
from model_cases import CASES, build

import minibert
from minibert.errors import TraceError
from minibert.tree import flatten, tree_get

CONFIG = minibert.BertConfig(
    vocab_size=11, hidden_size=6, num_hidden_layers=2, num_attention_heads=3, intermediate_size=10,
    max_position_embeddings=9,
)  # fmt: skip
BATCH = {
    "input_ids": np.array([[2, 7, 4, 9, 3], [2, 5, 6, 3, 0]]),
    "attention_mask": np.array([[1, 1, 1, 1, 1], [1, 1, 1, 1, 0]]),
    "labels": np.array([[-100, -100, 8, -100, -100], [-100, 6, -100, -100, -100]]),
    "next_sentence_label": np.array([0, 1]),
}
LAYER = [  # of a post-norm layer: op, how deep inside of others, place in the layer
    ("linear", 0, "attention.qkv"),
    ("attention", 0, "attention"),
    ("linear", 0, "attention.output"),
    ("add_norm", 0, "attention_norm"),
    ("dropout", 1, "attention_norm"),
    ("layer_norm", 1, "attention_norm"),
    ("feed_forward", 0, "feed_forward"),
    ("linear_gelu", 1, "feed_forward.up"),
    ("linear", 2, "feed_forward.up"),
    ("gelu", 2, "feed_forward.up"),
    ("linear", 1, "feed_forward.down"),
    ("add_norm", 0, "feed_forward_norm"),
    ("dropout", 1, "feed_forward_norm"),
    ("layer_norm", 1, "feed_forward_norm"),
]


def bert(dtype="float64"):
    return minibert.BertForPreTraining(CONFIG, seed=1, dtype=dtype)


def traced(model, batch, **options):
    with minibert.trace() as t:
        loss, grads = model.loss_and_grads(**batch, **options)
    return t, loss, grads


def test_every_op_of_a_forward_pass_in_order_with_its_place():
    t, _, _ = traced(bert(), BATCH)
    expected = [
        ("embedding", 0, "embeddings.token"),
        ("embedding", 0, "embeddings.position"),
        ("embedding", 0, "embeddings.segment"),
        ("layer_norm", 0, "embeddings.norm"),
        ("dropout", 0, "embeddings"),
        *((name, depth, f"encoder.layers.{i}.{place}") for i in range(2) for name, depth, place in LAYER),
        ("linear_gelu", 0, "mlm_head.dense"),
        ("linear", 1, "mlm_head.dense"),
        ("gelu", 1, "mlm_head.dense"),
        ("layer_norm", 0, "mlm_head.norm"),
        ("linear_cross_entropy", 0, "mlm_head"),
        ("linear", 1, "mlm_head"),
        ("cross_entropy", 1, "mlm_head"),
        ("linear", 0, "pooler"),
        ("tanh", 0, "pooler"),
        ("linear", 0, "nsp_head"),
        ("cross_entropy", 0, "nsp_head"),
    ]
    assert [(r.name, r.depth, r.place) for r in t if not r.is_backward] == expected


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("which", ["numpy", "numba"])
def test_backward_undoes_forward_at_the_same_places(name, which):
    model, batch = build(name)
    with minibert.backend(which):
        t, _, _ = traced(model, batch, dropout_key=(0, 1))
    backward = [r for r in t if r.is_backward]
    assert backward
    assert all(r.forward.place == r.place and r.forward.backward is r for r in backward)
    assert all(r.name == f"{r.forward.name}_backward" for r in backward)
    assert {id(r.forward) for r in backward} == {id(r) for r in t if not r.is_backward}  # none is left out
    assert all(r.place for r in t)


@pytest.mark.parametrize("name", CASES)
def test_gradients_by_name_are_those_of_the_step(name):
    """Every parameter's gradient is in the outputs of the backward op at the parameter's place."""
    model, batch = build(name)
    t, _, grads = traced(model, batch)
    for parameter, expected in flatten(grads).items():
        if parameter == "embeddings.token":
            continue  # tied: the sum of two ops' gradients
        place = parameter if parameter.startswith("embeddings.position") else parameter.rpartition(".")[0]
        made = [a for r in t.at(place) if r.is_backward for a in r.outputs.values()]
        found = [a for a in made if np.shape(a) == expected.shape and np.array_equal(a, expected)]
        assert found or parameter == "embeddings.segment", parameter


def test_activations_are_those_that_a_call_returns():
    model = bert()
    out = model(BATCH["input_ids"], BATCH["attention_mask"], output_hidden_states=True, output_attentions=True)
    t, _, _ = traced(model, BATCH)
    for i in range(2):
        layer = f"encoder.layers.{i}"
        assert np.array_equal(t.activation(f"{layer}.feed_forward_norm"), out.hidden_states[i + 1])
        assert np.array_equal(t[f"{layer}.attention"].cache.probs, out.attentions[i])
    assert t["pooler"].name == "tanh"  # the last one there


def test_gradients_of_activations_are_differences_of_the_loss():
    """Move one number of an activation by a hook: the loss moves as the gradient by it says."""
    model, place, index, h = bert(), "encoder.layers.0.feed_forward_norm", (1, 2, 3), 1e-4

    def loss(step):
        with minibert.trace() as t:
            t.replace(place, lambda y: moved(y, index, step), op="add_norm")
            return model.loss_and_grads(**BATCH)[0]

    t, _, _ = traced(model, BATCH)
    assert t.gradient(place)[index] == pytest.approx((loss(h) - loss(-h)) / (2 * h), rel=1e-6)


def moved(y, index, step):
    y[index] += step
    return y


def test_a_head_is_ablated():
    """Without head 1 is the same as with zeros in the rows of W^O that read it."""
    model, place = bert(), "encoder.layers.1.attention"
    with minibert.trace() as t:
        t.replace(place, lambda out: out * np.array([1, 0, 1])[:, None, None])
        loss, _ = model.loss_and_grads(**BATCH)
    assert not t.activation(place)[:, 1].any()
    tree_get(model.params, f"{place}.output.weight")[2:4] = 0
    assert loss == pytest.approx(model.loss_and_grads(**BATCH)[0], rel=1e-14)
    assert loss != bert().loss_and_grads(**BATCH)[0]


def test_a_position_is_patched_from_another_run():
    """All positions of the last layer patched: the loss is that of the other run."""
    model, place = bert(), "encoder.layers.1.feed_forward_norm"
    other = BATCH | {"input_ids": np.array([[2, 8, 8, 9, 3], [2, 5, 7, 3, 0]])}
    donor, expected, _ = traced(model, other)
    with minibert.trace() as t:
        t.replace(place, lambda y: donor.activation(place), op="add_norm")
        patched, _ = model.loss_and_grads(**BATCH)
    assert patched == pytest.approx(expected, rel=1e-14)


def test_a_replacement_must_fit():
    model = bert()
    with minibert.trace() as t:
        t.replace("encoder.layers.0.attention.output", lambda y: np.zeros(1))
        with pytest.raises(TraceError, match=r"shape \(1,\), but the output has \(2, 5, 6\)"):
            model.loss_and_grads(**BATCH)


def test_a_step_is_the_same_whether_traced_or_not():
    plain = bert().loss_and_grads(**BATCH, dropout_key=(0, 1))
    _, loss, grads = traced(bert(), BATCH, dropout_key=(0, 1))
    assert loss == plain[0]
    for name, grad in flatten(grads).items():
        assert np.array_equal(grad, flatten(plain[1])[name]), name


def test_outputs_stay_what_they_were():
    """The gradient of the tied table is added to in place after the head made it; the trace still shows the head's."""
    t, _, grads = traced(bert(), BATCH)
    head = t["mlm_head"].backward.outputs["dweight"].T
    look_up = t["embeddings.token"].backward.outputs["dtable"]
    assert np.array_equal(look_up, grads["embeddings"]["token"])
    seen = np.unique(BATCH["input_ids"][BATCH["attention_mask"] == 1])
    unseen = np.setdiff1d(np.arange(11), seen)
    assert np.array_equal(head[unseen], look_up[unseen])
    assert all((head[seen] != look_up[seen]).any(-1))


def test_nothing_is_recorded_outside_of_the_block_or_in_another_trace():
    with minibert.trace() as t:
        bert()(BATCH["input_ids"])
        seen = len(t)
    bert()(BATCH["input_ids"])
    assert len(t) == seen > 0
    assert not minibert.dispatch._watchers


def test_an_unknown_place_names_those_near():
    t, _, _ = traced(bert(), BATCH)
    with pytest.raises(TraceError, match=r"no op ran at 'encoder.layers.0.atention'.*encoder.layers.0.attention.qkv"):
        t["encoder.layers.0.atention"]
    with minibert.trace() as t:
        bert()(BATCH["input_ids"])
    with pytest.raises(TraceError, match="no backward pass reached 'pooler'"):
        t.gradient("pooler")


def test_places_without_a_model_from_its_parameters():
    """Functions of blocks called directly: the model is named, or places are unknown."""
    from minibert.blocks.heads import pooler

    model, first = bert(), np.ones((1, 6))
    with minibert.trace(model) as t:
        pooler(first, model.params["pooler"])
    assert [r.place for r in t] == ["pooler", "pooler"]
    with minibert.trace() as t:
        pooler(first, model.params["pooler"])
    assert [r.place for r in t] == ["", ""]


def test_work_and_bytes_by_hand():
    t, _, _ = traced(bert(), BATCH)
    qkv = t["encoder.layers.0.attention.qkv"]  # x (2, 5, 6), weight (6, 18), bias (18,) -> y (2, 5, 18)
    assert qkv.flops == 2 * 10 * 6 * 18
    assert qkv.backward.flops == 2 * qkv.flops
    assert qkv.bytes == 8 * (10 * 6 + 6 * 18 + 18 + 10 * 18)
    core = t["encoder.layers.0.attention"]  # B 2, H 3, T = S = 5, K 2
    assert core.flops == 2 * (2 * 2 * 3 * 5 * 5 * 2)
    assert core.backward.flops == 2 * core.flops


def test_tables():
    t, _, _ = traced(bert(), BATCH)
    lines = str(t.table()).splitlines()
    assert len(lines) == 1 + len(t)
    assert "x (2, 5, 6), weight (6, 18), bias (18,) -> y (2, 5, 18)" in lines[6]
    text = str(t.profile(ceiling=1e9))
    assert "the ceiling is 1 GFLOP/s" in text
    assert {line.split()[0] for line in text.splitlines()[1:-1]} == {r.name for r in t if r.depth == 0}
    assert t.table()._repr_html_().count("<tr>") == len(lines)


def test_time_of_an_op_is_at_least_that_of_its_parts():
    t, _, _ = traced(bert(), BATCH)
    for r in t:
        assert r.seconds > 0
        assert r.seconds >= sum(part.seconds for part in r.parts)
