"""Rung 4 for GPT-2 and GPT: the same weights in Hugging Face's classes, float64, loss and every gradient.

Hugging Face rounds the logits to float32 before its loss, so the reference's loss is PyTorch's cross-entropy
of the logits as they are. A gradient is compared relative to its largest element, or to 1e-6 of the largest of the
model where that is more: the gradient of the key bias is zero in exact arithmetic.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import transformers

import minibert

TOLERANCE = 1e-9
WIDTHS = {
    "odd sizes": dict(vocab_size=53, n_embd=21, n_head=3, n_layer=2),
    "one head": dict(vocab_size=31, n_embd=10, n_head=1, n_layer=3, layer_norm_epsilon=1e-3),
}
CASES = {
    **{f"gpt2, {name}": (minibert.GPT2LMHeadModel, sizes) for name, sizes in WIDTHS.items()},
    "gpt2, inner width and erf GELU": (
        minibert.GPT2LMHeadModel,
        dict(WIDTHS["odd sizes"], n_inner=35, activation_function="gelu"),
    ),
    "gpt2-nano": (minibert.GPT2LMHeadModel, dict(minibert.GPT2Config.sizes["gpt2-nano"], vocab_size=301)),
    **{f"gpt, {name}": (minibert.OpenAIGPTLMHeadModel, sizes) for name, sizes in WIDTHS.items()},
}
BATCHES = ("whole", "padded on the right", "padded on the left")


def build(cls, sizes, folder, seed=1, **options):
    """Our model, with every bias and normalisation moved off its initial value, and theirs."""
    model = cls(cls.config_class(**sizes, n_positions=17, initializer_range=0.1), seed=seed, dtype="float64")
    rng = np.random.default_rng(seed)
    model.params = minibert.tree.tree_map(lambda p: p + 0.1 * rng.normal(size=p.shape), model.params)
    model.save_pretrained(folder)
    theirs, info = getattr(transformers, cls.__name__).from_pretrained(
        folder, dtype=torch.float64, output_loading_info=True, **options
    )
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    return model, theirs.eval()


def batch(vocab_size, kind):
    rng = np.random.default_rng(0)
    B, T = 3, 13
    ids = rng.integers(0, vocab_size, (B, T))
    length = np.array([[T], [9], [11]])
    if kind == "whole":
        return {"input_ids": ids, "labels": ids}
    mask = np.arange(T) < length if kind == "padded on the right" else np.arange(T) >= T - length
    labels = np.where(mask, ids, -100)
    if kind == "padded on the left":
        labels[np.arange(B), mask.argmax(1)] = -100  # before the first token stands only padding
        positions = np.where(mask, mask.cumsum(1) - 1, 0)
        return {"input_ids": ids, "attention_mask": mask.astype(int), "position_ids": positions, "labels": labels}
    return {"input_ids": ids, "attention_mask": mask.astype(int), "labels": labels}


def their_loss(theirs, inputs, labels):
    logits = theirs(**{name: torch.tensor(array) for name, array in inputs.items()}).logits[:, :-1]
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), torch.tensor(labels[:, 1:]).reshape(-1))


@pytest.mark.parametrize("kind", BATCHES)
@pytest.mark.parametrize(("cls", "sizes"), CASES.values(), ids=CASES)
def test_loss_and_every_gradient_agree_with_hugging_face(cls, sizes, kind, tmp_path):
    model, theirs = build(cls, sizes, tmp_path)
    inputs = batch(model.config.vocab_size, kind)
    loss, grads = model.loss_and_grads(**inputs)
    grads = model.to_hf(grads)
    assert model(**inputs).loss == pytest.approx(loss, rel=1e-12)

    labels = inputs.pop("labels")
    expected_loss = their_loss(theirs, inputs, labels)
    expected_loss.backward()
    assert loss == pytest.approx(expected_loss.item(), rel=TOLERANCE)
    expected = {name: p.grad.numpy() for name, p in theirs.named_parameters()}
    assert set(grads) == set(expected)
    largest = max(abs(g).max() for g in expected.values())
    for name, gradient in expected.items():
        scale = max(abs(gradient).max(), 1e-6 * largest)
        assert abs(grads[name] - gradient).max() <= TOLERANCE * scale, name


@pytest.mark.parametrize(("cls", "sizes"), CASES.values(), ids=CASES)
def test_outputs_agree_with_hugging_face(cls, sizes, tmp_path):
    model, theirs = build(cls, sizes, tmp_path, attn_implementation="eager")
    inputs = batch(model.config.vocab_size, "padded on the right")
    del inputs["labels"]
    wanted = {"output_hidden_states": True, "output_attentions": True}
    ours = model(**inputs, **wanted)
    with torch.no_grad():
        expected = theirs(**{name: torch.tensor(array) for name, array in inputs.items()}, **wanted)
    close = {"rtol": 1e-10, "atol": 1e-12}
    np.testing.assert_allclose(ours.logits, expected.logits, **close)
    for name in ("hidden_states", "attentions"):
        assert len(ours[name]) == len(expected[name])
        for a, b in zip(ours[name], expected[name], strict=True):
            np.testing.assert_allclose(a, b, **close)


@pytest.mark.parametrize("name", ["GPT2Model", "OpenAIGPTModel", "GPT2LMHeadModel", "OpenAIGPTLMHeadModel"])
def test_what_hugging_face_saves_opens_here(name, tmp_path):
    cls, theirs = getattr(minibert, name), getattr(transformers, name)
    sizes = WIDTHS["odd sizes"]
    theirs = theirs(theirs.config_class(**sizes, n_positions=17)).eval()
    theirs.save_pretrained(tmp_path)
    model = cls.from_pretrained(tmp_path)
    ids = batch(53, "whole")["input_ids"]
    with torch.no_grad():
        expected = theirs(torch.tensor(ids))
    np.testing.assert_allclose(model(ids)[0], expected[0], rtol=1e-4, atol=1e-5)  # float32


def test_a_headless_model_opens_there(tmp_path):
    model, theirs = build(minibert.GPT2Model, WIDTHS["odd sizes"], tmp_path)
    ids = batch(53, "whole")["input_ids"]
    with torch.no_grad():
        expected = theirs(torch.tensor(ids)).last_hidden_state
    np.testing.assert_allclose(model(ids).last_hidden_state, expected, rtol=1e-10, atol=1e-12)
