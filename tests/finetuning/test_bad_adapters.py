"""Adapters that do not belong to a model, or cannot be: one line, and the model stays as it was."""

import json

import numpy as np
import pytest
from adapter_cases import base

import minibert
from minibert import LoraConfig, PeftModel, PromptTuningConfig, get_peft_model
from minibert.errors import CheckpointError, ConfigError
from minibert.finetuning.features import remember_features
from minibert.finetuning.methods import adapt
from minibert.frozen import is_frozen
from minibert.tree import flatten, tree_map

PROMPT = PromptTuningConfig(num_virtual_tokens=2)


def bert(layers=2, width=6, vocabulary=11):
    config = minibert.BertConfig(vocabulary, width, layers, 3, 10, max_position_embeddings=9, initializer_range=0.3)
    return minibert.BertForPreTraining(config)


@pytest.mark.parametrize(
    ("made_for", "config", "other", "message"),
    [
        (
            lambda: base("bert")[0],
            LoraConfig(r=2),
            lambda: base("gpt2")[0],
            r"'value'\] name no projection; there are c",
        ),
        (lambda: base("gpt2")[0], LoraConfig(r=2), lambda: base("bert")[0], r"'c_attn'\] name no projection"),
        (
            bert,
            LoraConfig(r=2),
            lambda: bert(width=12),
            r"another model: .* is \(2, 6\), but the model needs \(2, 12\)",
        ),
        (bert, LoraConfig(r=2), lambda: bert(layers=3), r"another model: .*layer\.2.* is missing"),
        (bert, LoraConfig(r=2), lambda: bert(layers=1), r"another model: .*layer\.1.* is not a parameter"),
        (bert, PROMPT, lambda: bert(width=12), "another model: its token_dim is 6, this model's is 12"),
        (bert, PROMPT, lambda: bert(layers=3), "another model: its num_layers is 2, this model's is 3"),
    ],
)
def test_an_adapter_made_for_another_model(made_for, config, other, message, tmp_path):
    get_peft_model(made_for(), config).save_pretrained(tmp_path)
    model = other()
    before = model.params
    with pytest.raises((CheckpointError, ConfigError), match=message) as error:
        PeftModel.from_pretrained(model, tmp_path)
    assert "\n" not in str(error.value)
    assert model.params is before


@pytest.mark.parametrize("config", [LoraConfig(r=2), PROMPT])
def test_adapters_that_are_not_finite(config, tmp_path):
    adapter = get_peft_model(bert(), config)
    adapter.params = tree_map(lambda leaf: leaf if is_frozen(leaf) else np.full_like(leaf, np.nan), adapter.params)
    adapter.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="numbers that are not finite"):
        PeftModel.from_pretrained(bert(), tmp_path)


def test_folders_that_are_no_adapter_and_adapters_that_are_no_model(tmp_path):
    base("bert")[0].save_pretrained(tmp_path / "model")
    get_peft_model(bert(), LoraConfig()).save_pretrained(tmp_path / "adapter")
    for folder in ("model", "nowhere"):
        with pytest.raises(CheckpointError, match=r"adapter_config\.json: not found; an adapter is a folder with"):
            PeftModel.from_pretrained(bert(), tmp_path / folder)
    for cls in (minibert.BertModel, minibert.AutoModel, minibert.SentenceEncoder):
        with pytest.raises(CheckpointError, match=r"no config\.json|config\.json: not found"):
            cls.from_pretrained(tmp_path / "adapter")
    (tmp_path / "adapter/adapter_model.safetensors").write_bytes(b"\0" * 40)
    with pytest.raises(CheckpointError):
        PeftModel.from_pretrained(bert(), tmp_path / "adapter")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"peft_type": ["LORA"]}', '{"peft_type": "IA3"}', '{"peft_type": 3}']
)
def test_damaged_descriptions(content, tmp_path):
    get_peft_model(bert(), LoraConfig()).save_pretrained(tmp_path)
    (tmp_path / "adapter_config.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"adapter_config\.json: (not valid JSON|expected)|peft_type"):
        PeftModel.from_pretrained(bert(), tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("r", "8", "must be an integer"),
        ("lora_alpha", None, "lora_alpha must be a number"),
        ("lora_dropout", 2, "less than 1"),
        ("use_dora", True, "needs use_dora, which is not computed here"),
        ("target_modules", ["nothing"], "name no projection"),
        ("modules_to_save", ["nothing"], "no module nothing"),
    ],
)
def test_values_that_a_file_may_hold(field, value, message, tmp_path):
    get_peft_model(bert(), LoraConfig()).save_pretrained(tmp_path)
    values = json.loads((tmp_path / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps({**values, field: value}))
    with pytest.raises((CheckpointError, ConfigError), match=message):
        PeftModel.from_pretrained(bert(), tmp_path)


@pytest.mark.parametrize("first", [LoraConfig(r=2), PROMPT])
@pytest.mark.parametrize("second", [LoraConfig(r=2), PROMPT])
def test_one_adapter_at_a_time(first, second):
    """The base model is asked, not its wrapper: its parameters hold the adapter."""
    model = bert()
    get_peft_model(model, first)
    before = model.params
    for change in (lambda: get_peft_model(model, second), lambda: adapt(model, "bias")):
        with pytest.raises(ConfigError, match="has an adapter"):
            change()
    assert model.params is before


def test_features_of_a_model_with_an_adapter_are_not_fixed():
    model = minibert.BertForSequenceClassification(bert().config)
    get_peft_model(model, LoraConfig(r=2))
    with pytest.raises(ConfigError, match="has an adapter"):
        remember_features(model)


@pytest.mark.parametrize("config", [LoraConfig(r=2), PROMPT])
def test_an_adapter_is_no_part_of_a_checkpoint(config, tmp_path):
    model = bert()
    adapter = get_peft_model(model, config)
    with pytest.raises(ConfigError, match=r"part of an adapter: save the PeftModel, or merge_and_unload\(\) it first"):
        model.save_pretrained(tmp_path / "out")
    assert not (tmp_path / "out").exists()
    adapter.unload().save_pretrained(tmp_path / "out")
    opened = minibert.BertForPreTraining.from_pretrained(tmp_path / "out")
    for name, array in flatten(opened.params).items():
        np.testing.assert_array_equal(array, flatten(model.params)[name])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: get_peft_model(bert(), {"r": 2}),
            "peft_config must be LoraConfig or PromptTuningConfig, but is a dict",
        ),
        (lambda: get_peft_model(bert(), LoraConfig(modules_to_save=["poolr"])), "the model has no module poolr"),
        (lambda: get_peft_model(bert(), LoraConfig(r=10**12)), "LoRA of rank 1000000000000 .* this machine has"),
        (lambda: LoraConfig(target_modules="("), "is no regular expression"),
        (lambda: LoraConfig(lora_alpha=float("nan")), "lora_alpha must be a number, but is nan"),
        (lambda: LoraConfig(lora_dropout="0.1"), "lora_dropout must be a number, but is '0.1'"),
    ],
)
def test_descriptions_that_cannot_be(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
