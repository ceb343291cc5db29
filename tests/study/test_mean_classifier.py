"""The classifier that reads the mean: its gradients, and its features, each computed once."""

import numpy as np
import pytest

import minibert
from minibert.finetuning.features import remember_features
from minibert.gradcheck import check_gradients
from minibert.study.mean_classifier import BertMeanClassifier
from minibert.tree import flatten

CONFIG = dict(
    vocab_size=11, hidden_size=6, num_hidden_layers=2, num_attention_heads=3, intermediate_size=7,
    max_position_embeddings=9, initializer_range=0.3, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
)  # fmt: skip
IDS = np.random.default_rng(0).integers(1, 11, (4, 7))
MASK = np.arange(7) < np.array([[7], [5], [6], [3]])
BATCH = {"input_ids": np.where(MASK, IDS, 0), "attention_mask": MASK, "labels": np.array([0, 1, 1, 0])}


def model():
    return BertMeanClassifier(minibert.BertConfig(**CONFIG), seed=1, dtype="float64")


def test_the_logits_are_those_of_the_mean_of_the_last_hidden_states():
    m = model()
    states = m(**BATCH, output_hidden_states=True)
    for b in range(4):
        mean = states.hidden_states[-1][b, MASK[b]].mean(0)
        expected = mean @ m.params["task_head"]["weight"] + m.params["task_head"]["bias"]
        np.testing.assert_allclose(states.logits[b], expected, rtol=1e-12, atol=1e-14)


def test_gradients():
    m = model()
    _, grads = m.loss_and_grads(**BATCH)

    def loss_of(params):
        m.params = params
        return m.loss_and_grads(**BATCH)[0]

    errors = check_gradients(loss_of, m.params, grads)
    assert sum(error.checked for error in errors) == m.num_parameters()
    assert max(error.relative_error for error in errors) <= 1e-6, errors


def test_with_remembered_features_the_head_learns_the_same():
    m = model()
    loss, grads = m.loss_and_grads(**BATCH)
    remember_features(m)
    for _ in range(2):
        again, found = m.loss_and_grads(**BATCH)
        assert again == pytest.approx(loss, rel=1e-13)
        assert set(flatten(found)) == {"task_head.weight", "task_head.bias"}
        for name, gradient in flatten(found).items():
            np.testing.assert_allclose(gradient, flatten(grads)[name], rtol=1e-12, atol=1e-13)
    assert m.body.nbytes == 4 * 6 * 8  # one vector a text
