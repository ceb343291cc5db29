"""What a checkpoint holds under which name: tied copies, buffers, prefixes, what is missing and what is left over."""

import warnings

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import minibert
from minibert.errors import CheckpointError
from minibert.tree import flatten

ENCODER = dict(vocab_size=23, hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=8)
DECODER = dict(vocab_size=23, n_embd=12, n_layer=2, n_head=3, n_positions=9)
MODELS = {
    "bert": minibert.BertForPreTraining(minibert.BertConfig(**ENCODER, max_position_embeddings=9), seed=3),
    "roberta": minibert.RobertaForMaskedLM(minibert.RobertaConfig(**ENCODER, max_position_embeddings=11), seed=3),
    "gpt2": minibert.GPT2LMHeadModel(minibert.GPT2Config(**DECODER), seed=3),
    "openai-gpt": minibert.OpenAIGPTLMHeadModel(minibert.OpenAIGPTConfig(**DECODER), seed=3),
}
PREFIX = {"bert": "bert.", "roberta": "roberta.", "gpt2": "transformer.", "openai-gpt": "transformer."}
WORDS = "embeddings.word_embeddings.weight"
TWINS = [  # model, tensor, its second name
    ("bert", f"bert.{WORDS}", "cls.predictions.decoder.weight"),
    ("bert", "cls.predictions.bias", "cls.predictions.decoder.bias"),
    ("roberta", f"roberta.{WORDS}", "lm_head.decoder.weight"),
    ("roberta", "lm_head.bias", "lm_head.decoder.bias"),
    ("gpt2", "transformer.wte.weight", "lm_head.weight"),
    ("openai-gpt", "transformer.tokens_embed.weight", "lm_head.weight"),
]


@pytest.fixture
def rewrite(tmp_path):
    """Save a model, and let a function change the dictionary of its tensors."""

    def rewritten(name, change):
        MODELS[name].save_pretrained(tmp_path)
        weights = load_file(tmp_path / "model.safetensors")
        save_file(change(weights), tmp_path / "model.safetensors")
        return tmp_path

    return rewritten


def assert_same(opened, model):
    opened = flatten(opened.params)
    for name, array in flatten(model.params).items():
        np.testing.assert_array_equal(opened[name], array)


@pytest.mark.parametrize(("name", "first", "second"), TWINS)
def test_tied_tensors_open_under_either_name_or_both(name, first, second, rewrite):
    model = MODELS[name]
    for change in (
        lambda w: w,  # as it is saved: the second is absent
        lambda w: {**w, second: w[first].copy()},
        lambda w: {second if n == first else n: t for n, t in w.items()},
    ):
        opened, info = type(model).from_pretrained(rewrite(name, change), output_loading_info=True)
        assert_same(opened, model)
        assert info == {"missing_keys": [], "unexpected_keys": []}


@pytest.mark.parametrize(("name", "first", "second"), TWINS)
def test_tensors_that_should_be_tied_but_differ_are_refused(name, first, second, rewrite):
    folder = rewrite(name, lambda w: {**w, second: w[first] + 1})
    with pytest.raises(CheckpointError, match=rf"{second} differs from {first}: .* not tied"):
        type(MODELS[name]).from_pretrained(folder)


@pytest.mark.parametrize("name", MODELS)
def test_prefixes_come_and_go(name, rewrite):
    """Files without the family's prefix, as the first releases, and files that call a normalisation gamma and beta."""
    folder = rewrite(name, lambda w: {n.removeprefix(PREFIX[name]): t for n, t in w.items()})
    assert_same(type(MODELS[name]).from_pretrained(folder), MODELS[name])


@pytest.mark.parametrize("name", ["bert", "roberta"])
def test_gamma_and_beta_of_the_first_releases(name, rewrite):
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}

    def change(weights):
        for new, legacy in old.items():
            weights = {n.replace(new, legacy): t for n, t in weights.items()}
        assert sum("gamma" in n for n in weights) >= 5
        return weights

    assert_same(type(MODELS[name]).from_pretrained(rewrite(name, change)), MODELS[name])


@pytest.mark.parametrize(
    ("name", "buffer", "values"),
    [
        ("bert", "bert.embeddings.position_ids", np.arange(9)[None]),
        ("bert", "embeddings.token_type_ids", np.zeros((1, 9), int)),
        ("roberta", "roberta.embeddings.position_ids", np.arange(11)[None]),
        ("gpt2", "transformer.h.0.attn.bias", np.tri(9, dtype=bool)),
        ("gpt2", "transformer.h.1.attn.masked_bias", np.float32(-1e4)),
        ("openai-gpt", "h.0.attn.bias", np.tri(9, dtype=np.uint8)),
        ("openai-gpt", "position_ids", np.arange(9)),
    ],
)
def test_buffers_of_old_files_are_no_surprise(name, buffer, values, rewrite):
    folder = rewrite(name, lambda w: {**w, buffer: np.asarray(values)})
    opened, info = type(MODELS[name]).from_pretrained(folder, output_loading_info=True)
    assert_same(opened, MODELS[name])
    assert info["unexpected_keys"] == []


@pytest.mark.parametrize("name", MODELS)
def test_tensors_that_nobody_knows_are_reported(name, rewrite):
    strange = {f"{PREFIX[name]}adapter.{i}": np.zeros(2, np.float32) for i in range(7)}
    folder = rewrite(name, lambda w: {**w, **strange})
    with pytest.warns(UserWarning, match=r"left out, .*: 7 tensors \(.*adapter\.0, .*adapter\.4, \.\.\.\)$"):
        opened, info = type(MODELS[name]).from_pretrained(folder, output_loading_info=True)
    assert_same(opened, MODELS[name])
    assert info["unexpected_keys"] == sorted(strange)


def test_heads_that_a_class_does_not_have_are_unexpected_but_need_no_warning(rewrite):
    folder = rewrite("bert", lambda w: w)
    _, info = minibert.BertForMaskedLM.from_pretrained(folder, output_loading_info=True)
    pooler, order = ["bert.pooler.dense.bias", "bert.pooler.dense.weight"], "cls.seq_relationship"
    assert info == {"missing_keys": [], "unexpected_keys": [*pooler, f"{order}.bias", f"{order}.weight"]}


def test_a_missing_head_is_initialised_and_named(rewrite):
    folder = rewrite("bert", lambda w: {n: t for n, t in w.items() if "seq_relationship" not in n})
    with pytest.warns(UserWarning, match=r"at random, not in the file: nsp_head\.weight, nsp_head\.bias$"):
        opened, info = minibert.BertForPreTraining.from_pretrained(folder, output_loading_info=True)
    assert info["missing_keys"] == ["cls.seq_relationship.bias", "cls.seq_relationship.weight"]
    head = opened.params["nsp_head"]["weight"]
    assert 0.01 < head.std() < 0.03  # initializer_range 0.02, cut at two deviations
    head += 1  # an array of its own, not the place that shapes share
    kept, original = (model.params["mlm_head"]["dense"]["weight"] for model in (opened, MODELS["bert"]))
    np.testing.assert_array_equal(kept, original)


@pytest.mark.parametrize("name", MODELS)
def test_a_missing_tensor_of_the_body_is_an_error_that_names_it(name, rewrite):
    body = {"bert": "encoder.layer.1.attention.self.key.bias", "roberta": "embeddings.position_embeddings.weight"}
    absent = PREFIX[name] + body.get(name, "h.1.mlp.c_fc.bias")
    folder = rewrite(name, lambda w: {n: t for n, t in w.items() if n != absent})
    with pytest.raises(CheckpointError, match="1 parameters are missing, for example .*" + absent.split(".", 1)[1]):
        type(MODELS[name]).from_pretrained(folder)


@pytest.mark.parametrize(
    ("name", "tensor", "expected", "found"),
    [
        ("bert", "bert.encoder.layer.0.intermediate.dense.weight", (8, 12), (12, 8)),  # theirs are (out, in)
        ("bert", "bert.encoder.layer.1.attention.self.value.weight", (12, 12), (12, 11)),
        ("roberta", "lm_head.bias", (23,), (23, 1)),
        ("gpt2", "transformer.h.0.mlp.c_fc.weight", (12, 48), (48, 12)),  # Conv1D is (in, out)
        ("openai-gpt", "transformer.positions_embed.weight", (9, 12), (8, 12)),
    ],
)
def test_a_wrong_shape_names_tensor_expected_and_found(name, tensor, expected, found, rewrite):
    folder = rewrite(name, lambda w: {**w, tensor: np.zeros(found, np.float32)})
    with pytest.raises(CheckpointError) as refused:
        type(MODELS[name]).from_pretrained(folder)
    path = folder / "model.safetensors"
    assert str(refused.value) == f"{path}: {tensor}: expected shape {expected} by config.json, found {found}"


def test_a_parameter_of_integers_is_refused(rewrite):
    folder = rewrite("gpt2", lambda w: {**w, "transformer.ln_f.bias": np.zeros(12, np.int32)})
    with pytest.raises(CheckpointError, match=r"ln_f\.bias holds numbers of the kind I32: save it as F32"):
        minibert.GPT2LMHeadModel.from_pretrained(folder)


def test_a_parameter_that_stands_there_twice_is_refused(rewrite):
    folder = rewrite("gpt2", lambda w: {**w, "ln_f.bias": w["transformer.ln_f.bias"].copy()})
    with pytest.raises(CheckpointError, match=r"ln_f\.bias and .*ln_f\.bias are the same parameter"):
        minibert.GPT2LMHeadModel.from_pretrained(folder)


@pytest.mark.parametrize(
    "name", ["BertForSequenceClassification", "BertForQuestionAnswering", "GPT2ForSequenceClassification"]
)
def test_the_head_of_a_task_is_no_surprise_to_the_body(name, tmp_path):
    cls = getattr(minibert, name)
    cls(MODELS["bert" if name.startswith("Bert") else "gpt2"].config).save_pretrained(tmp_path)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*initialised at random, not in the file: pooler")
        _, info = minibert.AutoModel.from_pretrained(tmp_path, output_loading_info=True)
    assert 1 <= len(info["unexpected_keys"]) <= 2
