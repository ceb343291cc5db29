"""Rung 3 for the whole model: both losses, dropout on, sampled elements and random directions."""

import numpy as np
import pytest

from minibert import BertConfig, BertForMaskedLM, BertForNextSentencePrediction, BertForPreTraining
from minibert.gradcheck import check_direction, check_gradients

CONFIG = BertConfig(
    vocab_size=23,
    hidden_size=12,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=20,
    max_position_embeddings=9,
    initializer_range=0.3,  # larger than in training, so that every term of the gradient counts
)


def batch():
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 23, (3, 7))
    return {
        "input_ids": ids,
        "attention_mask": np.arange(7) < np.array([[7], [5], [6]]),
        "token_type_ids": np.tile(np.arange(7) > 3, (3, 1)).astype(int),
        "labels": np.where(rng.random((3, 7)) < 0.4, ids, -100),
        "next_sentence_label": np.array([0, 1, 1]),
    }


@pytest.mark.parametrize("cls", [BertForPreTraining, BertForMaskedLM, BertForNextSentencePrediction])
def test_whole_model(cls):
    model = cls(CONFIG, seed=1, dtype="float64")
    inputs = {k: v for k, v in batch().items() if k not in ("labels", "next_sentence_label") or k in cls.labels}

    def loss(params):
        model.params = params
        return model.loss_and_grads(**inputs, dropout_key=(0, 1))[0]

    params = model.params
    _, grads = model.loss_and_grads(**inputs, dropout_key=(0, 1))
    errors = check_gradients(loss, params, grads, samples=5)
    assert max(error.relative_error for error in errors) <= 1e-6, errors
    for seed in range(3):
        assert check_direction(loss, params, grads, seed).relative_error <= 1e-6


@pytest.mark.slow
def test_every_element_of_the_whole_model():
    model = BertForPreTraining(CONFIG, seed=2, dtype="float64")
    params, inputs = model.params, batch()

    def loss(moved):
        model.params = moved
        return model.forward_loss(inputs, 7, {})[0].total

    _, cache = model.forward_loss(inputs, 7, {})
    errors = check_gradients(loss, params, model.backward(cache))
    assert sum(error.checked for error in errors) == model.num_parameters()
    assert max(error.relative_error for error in errors) <= 1e-6, errors
