"""LoRA: what is added begins as nothing, merges exactly, and goes where it was told."""

import json

import numpy as np
import pytest
from adapter_cases import EVERYTHING, MODELS, adapted, base

from minibert import backend
from minibert.errors import CheckpointError, ConfigError
from minibert.finetuning.lora import merge
from minibert.finetuning.peft_config import LoraConfig
from minibert.finetuning.peft_model import PeftModel, get_peft_model
from minibert.frozen import is_frozen
from minibert.tree import flatten, tree_get


@pytest.mark.parametrize("name", MODELS)
def test_the_beginning_is_the_model_as_it_was(name):
    model, batch = base(name)
    before = model(**batch).logits
    adapter = get_peft_model(model, LoraConfig(r=2, target_modules=EVERYTHING))
    np.testing.assert_array_equal(adapter(**batch).logits, before)


@pytest.mark.parametrize("which", ["numpy", "numba"])
@pytest.mark.parametrize("way", ["lora", "lora everywhere"])
@pytest.mark.parametrize("name", MODELS)
def test_merged_equals_unmerged(name, way, which):
    """Relative to the logits, which are of order 1; unmerging gives back the bits."""
    model, batch = adapted(name, way)
    bits = {n: np.asarray(leaf).tobytes() for n, leaf in flatten(model.params).items()}
    with backend(which):
        before = model(**batch).logits
        model.merge_adapter()
        assert not any("lora" in n for n in flatten(model.params))
        merged = model(**batch).logits
        np.testing.assert_allclose(merged, before, rtol=0, atol=1e-12)
        assert not np.array_equal(merged, adapted_base(name)(**batch).logits)  # the adapter does something
        model.unmerge_adapter()
    assert {n: np.asarray(leaf).tobytes() for n, leaf in flatten(model.params).items()} == bits
    plain = model.merge_and_unload()
    np.testing.assert_allclose(plain(**batch).logits, before, rtol=0, atol=1e-12)
    assert plain.num_trainable_parameters() == plain.num_parameters()


def adapted_base(name):
    return base(name)[0]


def test_unload_gives_the_model_back():
    model, batch = adapted("bert", "lora")
    plain, _ = base("bert")
    np.testing.assert_array_equal(model.unload()(**batch).logits, plain(**batch).logits)


def test_merging_is_w_plus_s_a_b_in_the_columns_of_its_part():
    model, _ = adapted("bert", "lora")
    node = tree_get(model.params, "encoder.layers.1.attention.qkv")
    weight = tree_get(merge(model.params), "encoder.layers.1.attention.qkv.weight")
    D = 6
    for i, part in enumerate(("query", "key", "value")):
        expected = np.array(node["weight"][:, i * D : (i + 1) * D])
        if part != "key":
            q = node["lora"][part]
            expected += 3 / 2 * np.asarray(q["A"]) @ np.asarray(q["B"])
        np.testing.assert_allclose(weight[:, i * D : (i + 1) * D], expected, rtol=1e-14)


def test_counts_are_those_of_the_formula():
    """r (I + O) for each of two projections in two layers, and the modules that train whole."""
    model, _ = base("bert")
    total, D, r = model.num_parameters(), 6, 4
    model = get_peft_model(model, LoraConfig(r=r, modules_to_save=["pooler"]))
    assert model.num_trainable_parameters() == 2 * 2 * r * (D + D) + D * D + D
    assert model.num_parameters() == total + 2 * 2 * r * (D + D)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"r": 0}, "at least 1"),
        ({"lora_dropout": 1.0}, "less than 1"),
        ({"target_modules": ["keys"]}, "there are query, key, value, dense"),
        ({"target_modules": ["dense"]}, "no projection of a layer"),
        ({"bias": "all"}, "bias"),
        ({"task_type": "TRANSLATION"}, "SEQ_CLS"),
    ],
)
def test_settings_that_cannot_work_are_refused_and_leave_the_model_alone(settings, words):
    model, _ = base("bert")
    params = model.params
    with pytest.raises(ConfigError, match=words):
        get_peft_model(model, LoraConfig(**settings))
    assert model.params is params


def test_a_second_adapter_is_refused():
    model, _ = adapted("bert", "lora")
    with pytest.raises(ConfigError, match="already"):
        get_peft_model(model, LoraConfig())


@pytest.mark.parametrize("way", ["lora", "lora everywhere", "prompt"])
@pytest.mark.parametrize("name", MODELS)
def test_saved_and_opened_is_the_same(name, way, tmp_path):
    model, batch = adapted(name, way)
    model.save_pretrained(tmp_path)
    again = PeftModel.from_pretrained(base(name)[0], tmp_path)
    np.testing.assert_array_equal(again(**batch).logits, model(**batch).logits)
    assert all(is_frozen(leaf) for leaf in flatten(again.params).values())
    trained = PeftModel.from_pretrained(base(name)[0], tmp_path, is_trainable=True)
    assert trained.num_trainable_parameters() == model.num_trainable_parameters()


def test_an_adapter_of_another_model_is_refused_and_leaves_the_model_alone(tmp_path):
    model, _ = adapted("gpt2", "lora")
    model.save_pretrained(tmp_path)
    other, _ = base("bert")
    params = other.params
    with pytest.raises((CheckpointError, ConfigError), match=r"c_attn"):
        PeftModel.from_pretrained(other, tmp_path)
    assert other.params is params


@pytest.mark.parametrize(
    ("change", "words"),
    [({"use_dora": True}, "use_dora"), ({"peft_type": "IA3"}, "IA3"), ({"r": 3}, "made for another model")],
)
def test_adapters_that_are_not_computed_here_are_refused(change, words, tmp_path):
    model, _ = adapted("bert", "lora")
    model.save_pretrained(tmp_path)
    path = tmp_path / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(CheckpointError, match=words):
        PeftModel.from_pretrained(base("bert")[0], tmp_path)


def test_a_folder_without_an_adapter_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"adapter_config\.json: not found"):
        PeftModel.from_pretrained(base("bert")[0], tmp_path)
