"""What each layer would answer is what a model would answer that ends there."""

import dataclasses

import numpy as np
import pytest
from model_cases import build
from view_cases import bert_and_batch

import minibert
from minibert.errors import DataError
from minibert.evaluation.logit_lens import logit_lens

LAYERS = {"gpt2": "n_layer", "gpt": "n_layer", "roberta": "num_hidden_layers", "bert": "num_hidden_layers"}


def ending_at(layer, model, name):
    """The same weights without the layers above."""
    shorter = type(model)(dataclasses.replace(model.config, **{LAYERS[name]: layer}), dtype="float64")
    stack = "decoder" if "decoder" in model.params else "encoder"
    kept = {i: p for i, p in model.params[stack]["layers"].items() if int(i) < layer}
    shorter.params = {**model.params, stack: {"layers": kept}}
    return shorter


@pytest.mark.parametrize("name", LAYERS)
def test_each_layer_answers_as_a_model_that_ends_there(name):
    model, batch = bert_and_batch() if name == "bert" else build(name)
    inputs = {k: batch[k] for k in ("input_ids", "attention_mask", "token_type_ids") if k in batch}
    logits = logit_lens(model, **inputs)
    assert len(logits) == 3
    for layer in (1, 2):
        np.testing.assert_allclose(logits[layer], ending_at(layer, model, name)(**inputs).logits, rtol=1e-12)
    assert not np.allclose(logits[0], logits[1])


def test_embeddings_go_through_the_last_normalisation_of_gpt2():
    model, batch = build("gpt2")
    ids, p = batch["input_ids"], model.params
    x = p["embeddings"]["token"][ids] + p["embeddings"]["position"][: ids.shape[1]]  # (B, T, D)
    xhat = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + model.config.layer_norm_epsilon)
    z = (xhat * p["final_norm"]["gamma"] + p["final_norm"]["beta"]) @ p["embeddings"]["token"].T  # (B, T, V)
    np.testing.assert_allclose(logit_lens(model, ids)[0], z, rtol=1e-10)


@pytest.mark.parametrize("cls", [minibert.BertModel, minibert.BertForNextSentencePrediction])
def test_a_model_without_a_head_over_the_vocabulary(cls):
    model, batch = bert_and_batch()
    with pytest.raises(DataError, match="no head over the vocabulary: use a class for masked or causal"):
        logit_lens(cls(model.config), batch["input_ids"])
