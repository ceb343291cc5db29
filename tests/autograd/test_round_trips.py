"""Checkpoints to and from the real library: what it saves opens here, what we save opens there, float32.

Logits agree within 1e-5, and so do gradients relative to the largest element of their tensor, or to 1e-3 of
the largest of the model where that is more: the gradient of the key bias is zero in exact arithmetic, so what
float32 makes of it is rounding, a few 1e-9 of the largest.
"""

import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import transformers

import minibert

TOLERANCE = 1e-5
ENCODER = dict(vocab_size=53, hidden_size=21, num_attention_heads=3, intermediate_size=35, num_hidden_layers=2)
DECODER = dict(vocab_size=53, n_embd=21, n_head=3, n_layer=2, n_positions=17)
ODD = dict(vocab_size=31, hidden_size=10, num_attention_heads=1, intermediate_size=14, num_hidden_layers=3)
CASES = {
    "bert": ("BertForPreTraining", dict(ENCODER, max_position_embeddings=17)),
    "bert, one head, three segments, no padding id": (
        "BertForMaskedLM",
        dict(ODD, max_position_embeddings=13, type_vocab_size=3, hidden_act="gelu_new", pad_token_id=None),
    ),
    "bert, no head": ("BertModel", dict(ENCODER, max_position_embeddings=14, layer_norm_eps=1e-5)),
    "roberta": ("RobertaForMaskedLM", dict(ENCODER, max_position_embeddings=19)),
    "roberta, padding id 4": (
        "RobertaForMaskedLM",
        dict(ODD, max_position_embeddings=18, pad_token_id=4, type_vocab_size=1, layer_norm_eps=1e-5),
    ),
    "roberta, no head": ("RobertaModel", dict(ENCODER, max_position_embeddings=19)),
    "gpt": ("OpenAIGPTLMHeadModel", DECODER),
    "gpt, one head": ("OpenAIGPTLMHeadModel", dict(DECODER, n_head=1, n_layer=3, layer_norm_epsilon=1e-3)),
    "gpt, no head": ("OpenAIGPTModel", DECODER),
    "gpt2": ("GPT2LMHeadModel", DECODER),
    "gpt2, inner width, erf GELU": ("GPT2LMHeadModel", dict(DECODER, n_inner=11, activation_function="gelu")),
    "gpt2, no head": ("GPT2Model", DECODER),
}


HEADS = {name: case for name, case in CASES.items() if "no head" not in name}


def build(name, sizes):
    """Our class, theirs, and a model of theirs whose biases and normalisations are not those of the start."""
    theirs = getattr(transformers, name)
    torch.manual_seed(0)
    model = theirs(theirs.config_class(**sizes, initializer_range=0.1)).eval()
    with torch.no_grad():
        for p in model.parameters():
            p += 0.1 * torch.randn_like(p)
    return getattr(minibert, name), theirs, model


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request):
    return build(*request.param)


def batch(model):
    """Ids that are no padding in any of the models, the last row shorter."""
    rng = np.random.default_rng(0)
    ids = rng.integers(5, model.config.vocab_size, (3, 13))
    mask = (np.arange(13) < np.array([[13], [13], [9]])).astype(int)
    pad = getattr(model.config, "pad_token_id", None)
    ids[mask == 0] = 0 if pad is None else pad
    return {"input_ids": ids, "attention_mask": mask}


def assert_same_outputs(ours, theirs, inputs):
    with torch.no_grad():
        expected = theirs(**{name: torch.tensor(array) for name, array in inputs.items()}).to_tuple()
    tokens = inputs["attention_mask"].astype(bool)
    outputs = [a for a in ours(**inputs).to_tuple() if isinstance(a, np.ndarray)]
    expected = [a for a in expected if isinstance(a, torch.Tensor)]
    assert len(outputs) == len(expected)
    for a, b in zip(outputs, expected, strict=True):
        a, b = (x[tokens] if x.ndim == 3 else x for x in (a, b.numpy()))
        assert a.dtype == np.float32
        np.testing.assert_allclose(a, b, rtol=0, atol=TOLERANCE)


def test_what_hugging_face_saves_opens_here(case, tmp_path):
    cls, _, theirs = case
    theirs.save_pretrained(tmp_path)
    ours, info = cls.from_pretrained(tmp_path, output_loading_info=True)
    assert info == {"missing_keys": [], "unexpected_keys": []}
    assert_same_outputs(ours, theirs, batch(theirs))


def test_what_we_save_opens_there(case, tmp_path):
    cls, theirs, model = case
    model.save_pretrained(tmp_path / "theirs")
    ours = cls.from_pretrained(tmp_path / "theirs")
    ours.save_pretrained(tmp_path / "ours")
    again, info = theirs.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert not info["mismatched_keys"]
    assert_same_outputs(ours, again.eval(), batch(model))
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(again.state_dict()[name], tensor, name)  # to us and back: the same bits


def test_what_we_save_in_shards_opens_there(case, tmp_path):
    cls, theirs, model = case
    model.save_pretrained(tmp_path / "theirs")
    cls.from_pretrained(tmp_path / "theirs").save_pretrained(tmp_path / "ours", max_shard_size="3kB")
    assert (tmp_path / "ours/model.safetensors.index.json").exists()
    again, info = theirs.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(info.values())
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(again.state_dict()[name], tensor, name)


@pytest.mark.parametrize(("name", "sizes"), HEADS.values(), ids=HEADS)
def test_gradients_of_what_hugging_face_saves(name, sizes, tmp_path):
    cls, _, theirs = build(name, sizes)
    theirs.save_pretrained(tmp_path)
    ours, inputs = cls.from_pretrained(tmp_path), batch(theirs)
    labels = np.where(inputs["attention_mask"] == 1, inputs["input_ids"], -100)
    loss, grads = ours.loss_and_grads(**inputs, labels=labels)
    grads = ours.to_hf(grads)

    logits = theirs(**{name: torch.tensor(array) for name, array in inputs.items()})[0]
    targets = torch.tensor(labels)
    if "LMHead" in cls.__name__:
        logits, targets = logits[:, :-1], targets[:, 1:]
    expected_loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))
    expected_loss.backward()
    assert loss == pytest.approx(expected_loss.item(), rel=TOLERANCE)
    expected = {name: p.grad.numpy() for name, p in theirs.named_parameters() if p.grad is not None}
    assert set(expected) <= set(grads)
    largest = max(abs(g).max() for g in expected.values())
    for name, gradient in expected.items():
        scale = max(abs(gradient).max(), 1e-3 * largest)
        assert abs(grads[name] - gradient).max() <= TOLERANCE * scale, name


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_in_shards(case, dtype, tmp_path):
    """Half precision, in files of at most 3 kB, opens as float32 with the values of the halves."""
    cls, _, model = case
    model.to(dtype).save_pretrained(tmp_path, max_shard_size="3kB")
    assert (tmp_path / "model.safetensors.index.json").exists()
    assert_same_outputs(cls.from_pretrained(tmp_path), model.to(torch.float32), batch(model))


@pytest.mark.parametrize("shards", [1, 2])
def test_the_recipe_for_pickles_converts_them(shards, tmp_path):
    sizes = CASES["bert"][1]
    theirs = transformers.BertForPreTraining(transformers.BertConfig(**sizes)).eval()
    theirs.config.save_pretrained(tmp_path)
    tensors = list(theirs.state_dict().items())
    for i in range(shards):
        name = "pytorch_model.bin" if shards == 1 else f"pytorch_model-0000{i + 1}-of-00002.bin"
        torch.save(dict(tensors[i::shards]), tmp_path / name)
    with pytest.raises(minibert.MinibertError, match="a pickle can run any code") as refused:
        minibert.BertForPreTraining.from_pretrained(tmp_path)
    _, code, _ = str(refused.value).split('"')
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    ours = minibert.BertForPreTraining.from_pretrained(tmp_path)
    assert_same_outputs(ours, theirs, batch(theirs))
