"""Norms of the gradients by layer: what the log says of them, and that saying it changes nothing."""

import json
import math

import numpy as np
import pytest

import minibert
from minibert import BertConfig, BertForPreTraining
from minibert.training.grad_norms import grad_norms_by_layer, layer_of
from minibert.training.log import RunLog
from minibert.training.loop import LoopSettings, train
from minibert.training.optimizer import AdamW
from minibert.tree import flatten

LAYERS = ["embeddings", "encoder.layers.0", "encoder.layers.1", "pooler", "mlm_head", "nsp_head"]
BACKENDS = ("numpy", pytest.param("numba", marks=pytest.mark.slow))  # compiling takes a minute, once


def model():
    config = BertConfig(
        vocab_size=23, hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=20,
        max_position_embeddings=9,
    )  # fmt: skip
    return BertForPreTraining(config)


def batch(seed):
    rng = np.random.default_rng(seed)
    ids = rng.integers(5, 23, (4, 7))
    labels = np.where(rng.random(ids.shape) < 0.4, ids, -100)
    return {"input_ids": ids, "labels": labels, "next_sentence_label": rng.integers(0, 2, 4)}


def run(folder, m, batches, **settings):
    """Six steps; return the lines of the log."""
    settings = LoopSettings(**{"max_steps": 6, "log_every": 1, "eval_every": 0, "eval_on_start": False, **settings})
    folder.mkdir()
    with RunLog(folder, 6, progress=False) as log:
        optimizer = AdamW(m.params)
        train(m, optimizer, ([b] for b in batches), lambda step: 1e-2, settings, log, None, None)
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_layers_of_parameters():
    assert layer_of("encoder.layers.11.attention.qkv.weight") == "encoder.layers.11"
    assert layer_of("embeddings.token") == "embeddings"
    assert layer_of("bias") == "bias"


def test_the_norm_of_a_layer_is_that_of_all_its_gradients():
    m = model()
    _, grads = m.losses_and_grads(batch(0))
    norms = grad_norms_by_layer(grads)
    assert sorted(norms) == sorted(LAYERS)
    for layer, norm in norms.items():
        of_layer = [g.ravel() for name, g in flatten(grads).items() if f"{name}.".startswith(f"{layer}.")]
        assert norm == pytest.approx(float(np.linalg.norm(np.concatenate(of_layer).astype(float))), rel=1e-6)
    grads["pooler"] = {name: None for name in grads["pooler"]}  # frozen
    assert "pooler" not in grad_norms_by_layer(grads)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_log_has_them_and_the_weights_are_the_same_bits(tmp_path, backend):
    with minibert.backend(backend):
        plain, watched = model(), model()
        without = run(tmp_path / "plain", plain, map(batch, range(6)))
        lines = run(tmp_path / "watched", watched, map(batch, range(6)), log_grad_norms=True)
    assert all("grad_norms" not in line for line in without)
    for line in lines:  # of one step each, so that the squares add up
        total = math.sqrt(sum(norm**2 for norm in line["grad_norms"].values()))
        assert total == pytest.approx(line["grad_norm"], rel=1e-6)
    others = flatten(watched.params)
    assert all(np.array_equal(array, others[name]) for name, array in flatten(plain.params).items())


def test_a_step_that_was_not_taken_has_none(tmp_path):
    m = model()

    def batches():
        for i in range(6):
            m.params["mlm_head"]["bias"][0] = np.nan if i == 3 else 0.0  # steps 1 to 3 and 5 to 6 are good
            yield batch(i)

    lines = run(tmp_path / "run", m, batches(), log_grad_norms=True, log_every=2)
    assert [(line["step"], "grad_norms" in line) for line in lines if "loss" in line] == [
        (2, True),
        (4, False),
        (6, True),
    ]
