"""Rung 4 for RoBERTa: the same weights in Hugging Face's classes, float64, loss and every gradient."""

import numpy as np
import pytest
import torch
import transformers

import minibert
from minibert.tree import tree_map

TOLERANCE = 1e-9
CONFIGS = {
    "odd sizes": dict(vocab_size=53, hidden_size=21, num_attention_heads=3, intermediate_size=35, num_hidden_layers=2),
    "tanh GELU in the layers, erf in the head": dict(
        vocab_size=31, hidden_size=10, num_attention_heads=1, intermediate_size=14, num_hidden_layers=3,
        hidden_act="gelu_new", layer_norm_eps=1e-5, type_vocab_size=1,
    ),
    "padding is id 4": dict(
        vocab_size=37, hidden_size=14, num_attention_heads=2, intermediate_size=9, num_hidden_layers=1, pad_token_id=4
    ),
    "roberta-tiny": dict(minibert.RobertaConfig.sizes["roberta-tiny"], vocab_size=301),
}  # fmt: skip


def build(cls, sizes, folder, **options):
    """Our model, with every bias and normalisation moved off its initial value, and theirs."""
    config = minibert.RobertaConfig(**{"max_position_embeddings": 19, **sizes}, initializer_range=0.1)
    model = cls(config, seed=1, dtype="float64")
    rng = np.random.default_rng(1)
    model.params = tree_map(lambda p: p + 0.1 * rng.normal(size=p.shape), model.params)
    model.save_pretrained(folder)
    theirs, info = getattr(transformers, cls.__name__).from_pretrained(
        folder, dtype=torch.float64, output_loading_info=True, **options
    )
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    return model, theirs.eval()


def batch(config, padded):
    rng = np.random.default_rng(0)
    B, T = 3, 13
    ids = rng.integers(5, config.vocab_size, (B, T))
    mask = np.arange(T) < np.array([[T], [9], [11]] if padded else [[T]] * B)
    ids[~mask] = config.pad_token_id
    labels = np.where((rng.random((B, T)) < 0.3) & mask, ids, -100)
    return {"input_ids": ids, "attention_mask": mask.astype(int)}, labels


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("sizes", CONFIGS.values(), ids=CONFIGS)
def test_loss_and_every_gradient_agree_with_hugging_face(sizes, padded, tmp_path):
    model, theirs = build(minibert.RobertaForMaskedLM, sizes, tmp_path)
    inputs, labels = batch(model.config, padded)
    loss, grads = model.loss_and_grads(**inputs, labels=labels)
    grads = model.to_hf(grads)
    output = theirs(**{name: torch.tensor(array) for name, array in inputs.items()}, labels=torch.tensor(labels))
    output.loss.backward()

    assert loss == pytest.approx(output.loss.item(), rel=TOLERANCE)
    expected = {name: p.grad.numpy() for name, p in theirs.named_parameters()}
    assert set(grads) == set(expected)
    largest = max(abs(g).max() for g in expected.values())
    for name, gradient in expected.items():
        scale = max(abs(gradient).max(), 1e-6 * largest)
        assert abs(grads[name] - gradient).max() <= TOLERANCE * scale, name


@pytest.mark.parametrize("cls", [minibert.RobertaModel, minibert.RobertaForMaskedLM])
def test_outputs_agree_with_hugging_face(cls, tmp_path):
    model, theirs = build(cls, CONFIGS["odd sizes"], tmp_path, attn_implementation="eager")
    inputs, _ = batch(model.config, padded=True)
    wanted = {"output_hidden_states": True, "output_attentions": True}
    ours = model(**inputs, **wanted)
    with torch.no_grad():
        expected = theirs(**{name: torch.tensor(array) for name, array in inputs.items()}, **wanted)
    close = {"rtol": 1e-10, "atol": 1e-12}
    outputs = 2 if cls is minibert.RobertaModel else 1  # last hidden state and pooled vector, or logits
    for a, b in zip(ours[:outputs], expected.to_tuple(), strict=False):
        np.testing.assert_allclose(a, b, **close)
    for name in ("hidden_states", "attentions"):
        assert len(ours[name]) == len(expected[name])
        for a, b in zip(ours[name], expected[name], strict=True):
            np.testing.assert_allclose(a, b, **close)


@pytest.mark.parametrize("name", ["RobertaModel", "RobertaForMaskedLM"])
def test_what_hugging_face_saves_opens_here(name, tmp_path):
    theirs = getattr(transformers, name)
    theirs = theirs(transformers.RobertaConfig(**CONFIGS["odd sizes"], max_position_embeddings=19)).eval()
    theirs.save_pretrained(tmp_path)
    model = getattr(minibert, name).from_pretrained(tmp_path)
    inputs, _ = batch(model.config, padded=True)
    with torch.no_grad():
        expected = theirs(**{name: torch.tensor(array) for name, array in inputs.items()})
    np.testing.assert_allclose(model(**inputs)[0], expected[0], rtol=1e-4, atol=1e-5)  # float32
