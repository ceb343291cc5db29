"""Features that are computed once: the same loss and gradients of the head, and no body in the second epoch."""

import numpy as np
import pytest
from adapter_cases import BERT, base

import minibert
from minibert.errors import ConfigError
from minibert.finetuning.features import forget_features, remember_features
from minibert.finetuning.methods import adapt
from minibert.tree import flatten

GPT2 = minibert.GPT2Config(vocab_size=11, n_positions=9, n_embd=6, n_layer=2, n_head=3, initializer_range=0.3)
IDS = np.random.default_rng(0).integers(1, 11, (4, 7))
MASK = np.arange(7) < np.array([[7], [5], [6], [3]])
IDS = np.where(MASK, IDS, 0)


def model_of(name):
    cls = getattr(minibert, name)
    settings = vars(GPT2 if name.startswith("GPT2") else BERT)
    config = cls.config_class(**{k: v for k, v in settings.items() if k not in ("id2label", "label2id")})
    config.pad_token_id = 0
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
    labels = np.array([0, 1, 1, 0])
    if "Token" in name:
        labels = np.where(MASK, IDS % 2, -100)
    return cls(config, seed=1, dtype="float64"), {"input_ids": IDS, "attention_mask": MASK, "labels": labels}


@pytest.mark.parametrize(
    "name", ["BertForSequenceClassification", "GPT2ForSequenceClassification", "BertForTokenClassification"]
)
def test_the_head_learns_the_same(name):
    model, batch = model_of(name)
    adapt(model, "head")
    loss, grads = model.loss_and_grads(**batch)
    logits = model(**batch).logits
    remember_features(model)
    for _ in range(2):
        again, found = model.loss_and_grads(**batch)
        assert again == pytest.approx(loss, rel=1e-13)
        assert flatten(found).keys() == flatten(grads).keys()
        for n, g in flatten(grads).items():
            np.testing.assert_allclose(flatten(found)[n], g, rtol=1e-12, atol=1e-13, err_msg=n)
    np.testing.assert_allclose(model(**batch).logits, logits, rtol=1e-12, atol=1e-13)
    forget_features(model)
    assert model.loss_and_grads(**batch)[0] == loss


@pytest.mark.parametrize("name", ["BertForSequenceClassification", "GPT2ForSequenceClassification"])
def test_a_text_that_is_known_is_not_read_again(name):
    """Not in another order, nor in a batch with other padding; a text that differs in one token is."""
    model, batch = model_of(name)
    remember_features(model).loss_and_grads(**batch)
    assert model.body.nbytes == 4 * 6 * 8  # four texts, D numbers each

    def attentions(**batch):
        calls = []
        with minibert.watch(lambda call: calls.append(call.name)):
            model.loss_and_grads(**batch)
        return calls.count("attention")

    order = np.array([2, 0, 3, 1])
    assert attentions(**{k: v[order] for k, v in batch.items()}) == 0
    short = {k: v[1:, :6] if np.ndim(v) == 2 else v[1:] for k, v in batch.items()}
    assert attentions(**short) == 0
    changed = {**batch, "input_ids": np.where(np.arange(7) == 1, IDS % 10 + 1, IDS)}
    assert attentions(**changed) == 2  # one for each layer


def test_a_model_without_the_head_of_a_task_is_refused():
    with pytest.raises(ConfigError, match="no head of a task"):
        remember_features(base("bert")[0])
