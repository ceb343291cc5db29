"""Perplexity is what the logits say it is, token by token."""

import numpy as np
import pytest
from model_cases import V, build

import minibert
from minibert.errors import ConfigError, DataError
from minibert.evaluation import perplexity, pseudo_perplexity
from minibert.evaluation.perplexity import one_masked
from minibert.tree import tree_map

TEXTS = [[3, 7, 4, 9, 10], [5, 5], [8], [6, 3, 10, 4]]
SPECIAL, MASK = (3, 4), 10


def log_softmax(logits):
    logits = logits - logits.max()
    return logits - np.log(np.exp(logits).sum())


@pytest.mark.parametrize("name", ["gpt2", "gpt"])
def test_causal_perplexity_token_by_token(name):
    model, _ = build(name)
    losses, counts = np.zeros(len(TEXTS)), np.zeros(len(TEXTS))
    for i, text in enumerate(TEXTS):
        for t in range(1, len(text)):
            losses[i] -= log_softmax(model([text[:t]]).logits[0, -1])[text[t]]
            counts[i] += 1
    result = perplexity(model, TEXTS)
    np.testing.assert_allclose(result.losses, losses, rtol=1e-12)
    np.testing.assert_array_equal(result.counts, counts)
    assert result.loss == pytest.approx(losses.sum() / 8, rel=1e-12)
    assert result.perplexity == pytest.approx(np.exp(losses.sum() / 8), rel=1e-12)


def masked_models():
    config = minibert.BertConfig(V, 6, 2, 3, 10, max_position_embeddings=11, initializer_range=0.3)
    return {
        "roberta": build("roberta")[0],
        "bert": minibert.BertForMaskedLM(config, seed=1, dtype="float64"),
        "bert, pre-training": minibert.BertForPreTraining(config, seed=1, dtype="float64"),
    }


@pytest.mark.parametrize("batch_size", [1, 2, 32])
@pytest.mark.parametrize("name", masked_models())
def test_pseudo_perplexity_position_by_position(name, batch_size):
    model = masked_models()[name]
    losses, counts = np.zeros(len(TEXTS)), np.zeros(len(TEXTS))
    for i, text in enumerate(TEXTS):
        for t, token in enumerate(text):
            if token not in SPECIAL:
                hidden = [*text[:t], MASK, *text[t + 1 :]]
                losses[i] -= log_softmax(model([hidden]).logits[0, t])[token]
                counts[i] += 1
    result = pseudo_perplexity(model, TEXTS, MASK, SPECIAL, batch_size)
    np.testing.assert_allclose(result.losses, losses, rtol=1e-12)
    np.testing.assert_array_equal(result.counts, counts)
    assert result.perplexity == pytest.approx(np.exp(losses.sum() / counts.sum()), rel=1e-12)


def test_a_model_that_knows_nothing_chooses_among_all_tokens():
    model, _ = build("gpt2")
    model.params = tree_map(np.zeros_like, model.params)
    assert perplexity(model, TEXTS).perplexity == pytest.approx(V, rel=1e-12)
    masked = masked_models()["bert"]
    masked.params = tree_map(np.zeros_like, masked.params)
    assert pseudo_perplexity(masked, TEXTS, MASK, SPECIAL).perplexity == pytest.approx(V, rel=1e-12)


def test_one_position_is_hidden_in_each_row():
    batch = one_masked(np.array([3, 7, 8, 4]), np.array([1, 2]), 10)
    np.testing.assert_array_equal(batch["input_ids"], [[3, 10, 8, 4], [3, 7, 10, 4]])
    np.testing.assert_array_equal(batch["labels"], [[-100, 7, -100, -100], [-100, -100, 8, -100]])


def test_nothing_to_predict():
    causal, masked = build("gpt2")[0], masked_models()["bert"]
    for texts in ([], [[3]], [[]]):
        with pytest.raises(DataError, match="no token to predict"):
            perplexity(causal, texts)
    for texts in ([], [[3, 4]], [[]]):
        with pytest.raises(DataError, match="no token to predict"):
            pseudo_perplexity(masked, texts, MASK, SPECIAL)


def test_texts_that_do_not_suit_the_model():
    model = build("gpt2")[0]
    with pytest.raises(DataError):
        perplexity(model, [[3] * 50])
    with pytest.raises(DataError):
        perplexity(model, [[3, V]])
    with pytest.raises(ConfigError, match="batch_size"):
        pseudo_perplexity(masked_models()["bert"], TEXTS, MASK, SPECIAL, 0)
