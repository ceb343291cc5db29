"""Rung 4 for the whole model: the same weights in Hugging Face's BERT, float64, loss and every gradient.

A gradient is compared relative to the largest element of all gradients of the model: that of
the key bias is zero in exact arithmetic (a constant added to all scores of a row changes no
probability), so it is rounding noise on both sides.
"""

import numpy as np
import pytest
import torch
import transformers

import minibert

TOLERANCE = 1e-9
CONFIGS = {
    "odd sizes": dict(vocab_size=53, hidden_size=21, num_attention_heads=3, intermediate_size=35, num_hidden_layers=2),
    "tanh GELU, one head": dict(
        vocab_size=31, hidden_size=10, num_attention_heads=1, intermediate_size=14, num_hidden_layers=3,
        hidden_act="gelu_new", layer_norm_eps=1e-5, type_vocab_size=3,
    ),
    "bert-tiny": dict(minibert.BertConfig.sizes["bert-tiny"], vocab_size=301),
}  # fmt: skip


def batch(config, cls):
    rng = np.random.default_rng(0)
    B, T = 3, 13
    ids = rng.integers(1, config.vocab_size, (B, T))
    inputs = {
        "input_ids": ids,
        "attention_mask": (np.arange(T) < np.array([[T], [9], [11]])).astype(int),
        "token_type_ids": np.tile(np.arange(T) > 6, (B, 1)).astype(int),
    }
    mlm = np.where((rng.random((B, T)) < 0.3) & (inputs["attention_mask"] == 1), ids, -100)
    labels = {"labels": mlm, "next_sentence_label": np.array([0, 1, 1])}
    return inputs, {name: labels[name] for name in cls.labels}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize(
    "cls", [minibert.BertForPreTraining, minibert.BertForMaskedLM, minibert.BertForNextSentencePrediction]
)
def test_loss_and_every_gradient_agree_with_hugging_face(cls, config, tmp_path):
    config = minibert.BertConfig(**config, max_position_embeddings=17, initializer_range=0.1)
    model = cls(config, seed=1, dtype="float64")
    model.save_pretrained(tmp_path)
    theirs = getattr(transformers, cls.__name__).from_pretrained(tmp_path, dtype=torch.float64).eval()

    inputs, labels = batch(config, cls)
    loss, grads = model.loss_and_grads(**inputs, **labels)
    grads = model.to_hf(grads)
    as_torch = {name: torch.tensor(array) for name, array in {**inputs, **labels}.items()}
    if cls is minibert.BertForNextSentencePrediction:
        as_torch["labels"] = as_torch.pop("next_sentence_label")
    output = theirs(**as_torch)
    output.loss.backward()

    assert loss == pytest.approx(output.loss.item(), rel=TOLERANCE)
    expected = {name: p.grad.numpy() for name, p in theirs.named_parameters()}
    assert set(grads) == set(expected)
    largest = max(abs(g).max() for g in expected.values())
    for name, gradient in expected.items():
        scale = max(abs(gradient).max(), 1e-6 * largest)
        assert abs(grads[name] - gradient).max() <= TOLERANCE * scale, name


@pytest.mark.parametrize(
    "cls",
    [
        minibert.BertModel,
        minibert.BertForPreTraining,
        minibert.BertForMaskedLM,
        minibert.BertForNextSentencePrediction,
    ],
)
def test_outputs_agree_with_hugging_face(cls, tmp_path):
    config = minibert.BertConfig(**CONFIGS["odd sizes"], max_position_embeddings=17, initializer_range=0.1)
    model = cls(config, seed=2, dtype="float64")
    model.save_pretrained(tmp_path)
    theirs, info = getattr(transformers, cls.__name__).from_pretrained(
        tmp_path, dtype=torch.float64, attn_implementation="eager", output_loading_info=True
    )
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    inputs = batch(config, cls=minibert.BertForPreTraining)[0]
    ours = model(**inputs, output_hidden_states=True, output_attentions=True)
    with torch.no_grad():
        expected = theirs.eval()(
            **{name: torch.tensor(array) for name, array in inputs.items()},
            output_hidden_states=True,
            output_attentions=True,
        )
    close = {"rtol": 1e-10, "atol": 1e-12}
    outputs = 2 if cls in (minibert.BertModel, minibert.BertForPreTraining) else 1
    for a, b in zip(ours[:outputs], expected.to_tuple(), strict=False):
        np.testing.assert_allclose(a, b, **close)
    for name in ("hidden_states", "attentions"):
        assert len(ours[name]) == len(expected[name])
        for a, b in zip(ours[name], expected[name], strict=True):
            np.testing.assert_allclose(a, b, **close)


def test_what_hugging_face_saves_opens_here(tmp_path):
    config = transformers.BertConfig(**CONFIGS["odd sizes"], max_position_embeddings=17)
    theirs = transformers.BertForPreTraining(config).eval()
    theirs.save_pretrained(tmp_path)
    model = minibert.BertForPreTraining.from_pretrained(tmp_path)
    inputs, _ = batch(config, minibert.BertForPreTraining)
    with torch.no_grad():
        expected = theirs(**{name: torch.tensor(array) for name, array in inputs.items()})
    np.testing.assert_allclose(model(**inputs).logits, expected.prediction_logits, rtol=1e-4, atol=1e-5)  # float32
