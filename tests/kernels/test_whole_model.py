"""Whole models through the kernels: gradients, agreement with NumPy, and the same bits whatever the threads."""

import os
import subprocess
import sys

import numpy as np
import pytest
from model_cases import CASES, build, loss_of

from minibert import BertConfig, BertForPreTraining, backend
from minibert.gradcheck import check_direction, check_gradients
from minibert.tree import flatten

pytest.importorskip("numba", reason="needs the extra `numba`")
SMALL = dict(vocab_size=23, hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=20)
CONFIG = BertConfig(**SMALL, max_position_embeddings=9, initializer_range=0.3)


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


def test_gradients_through_the_kernels():
    model = BertForPreTraining(CONFIG, seed=1, dtype="float64")
    params, inputs = model.params, batch()

    def loss(moved):
        model.params = moved
        return model.forward_loss(inputs, 7, {})[0].total

    with backend("numba"):
        _, cache = model.forward_loss(inputs, 7, {})
        grads = model.backward(cache)
        assert max(error.relative_error for error in check_gradients(loss, params, grads, samples=3)) <= 1e-6
        assert check_direction(loss, params, grads).relative_error <= 1e-6


def test_both_backends_agree_on_loss_and_gradients():
    """Dropout is on: both drop the same units."""
    model = BertForPreTraining(CONFIG, seed=1, dtype="float64")
    loss, expected = model.loss_and_grads(**batch(), dropout_key=(0, 1))
    with backend("numba"):
        compiled, grads = model.loss_and_grads(**batch(), dropout_key=(0, 1))
        logits = model(**batch()).logits
    assert compiled == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(logits, model(**batch()).logits, rtol=1e-12, atol=1e-12)
    for name, gradient in flatten(expected).items():
        np.testing.assert_allclose(flatten(grads)[name], gradient, rtol=0, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("name", CASES)
def test_gradients_of_the_other_models_through_the_kernels(name):
    model, batch = build(name)
    params, loss = model.params, loss_of(model, batch)
    with backend("numba"):
        _, cache = model.forward_loss(batch, 7, {})
        grads = model.backward(cache)
        assert max(error.relative_error for error in check_gradients(loss, params, grads, samples=3)) <= 1e-6
        assert check_direction(loss, params, grads).relative_error <= 1e-6


@pytest.mark.parametrize("name", CASES)
def test_both_backends_agree_on_the_other_models(name):
    model, batch = build(name)
    loss, expected = model.loss_and_grads(**batch, dropout_key=(0, 1))
    with backend("numba"):
        compiled, grads = model.loss_and_grads(**batch, dropout_key=(0, 1))
        logits = model(**batch).logits
    assert compiled == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(logits, model(**batch).logits, rtol=1e-12, atol=1e-12)
    for parameter, gradient in flatten(expected).items():
        np.testing.assert_allclose(flatten(grads)[parameter], gradient, rtol=0, atol=1e-12, err_msg=parameter)


@pytest.mark.parametrize("name", [name for name, (cls, *_) in CASES.items() if hasattr(cls, "decode")])
def test_both_backends_write_on_alike(name):
    """With a key-value cache: fewer queries than keys, and keys that are views into a larger array."""
    model, batch = build(name)
    ids, mask = batch["input_ids"], batch["attention_mask"][:, ::-1]

    def read_in_pieces():
        past = None
        for begin, end in [(0, 4), (4, 5), (5, 7)]:
            logits, past = model.decode(ids[:, begin:end], past, mask[:, :end])
            yield logits

    expected = list(read_in_pieces())
    with backend("numba"):
        np.testing.assert_allclose(list(read_in_pieces()), expected, rtol=1e-12, atol=1e-12)


THREE_STEPS = """
import hashlib, sys
import numba, numpy as np
import minibert
from minibert.tree import flatten

minibert.set_backend("numba")
rng = np.random.default_rng(0)
ids = rng.integers(0, 501, (5, 33))
batch = {
    "input_ids": ids,
    "attention_mask": np.arange(33) < rng.integers(20, 34, (5, 1)),
    "labels": np.where(rng.random(ids.shape) < 0.15, ids, -100),
    "next_sentence_label": rng.integers(0, 2, 5),
}
for threads in (1, 2, 3, 4):
    numba.set_num_threads(threads)
    config = minibert.BertConfig(501, 96, 2, 3, 200, max_position_embeddings=40)
    model = minibert.BertForPreTraining(config, seed=0)
    optimizer = minibert.AdamW(model.params)
    for step in range(3):
        _, grads = model.loss_and_grads(**batch, dropout_key=(0, step))
        optimizer.step(grads, max_grad_norm=1.0)
    print(hashlib.sha256(b"".join(a.tobytes() for a in flatten(model.params).values())).hexdigest())
"""


def test_three_training_steps_have_the_same_bits_for_any_number_of_threads():
    """And run after run: in another process memory lies elsewhere."""
    environment, digests = {**os.environ, "NUMBA_NUM_THREADS": "4"}, []
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", THREE_STEPS], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        digests += done.stdout.split()
    assert len(digests) == 8
    assert len(set(digests)) == 1
