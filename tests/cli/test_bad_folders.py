"""`info`, `fill-mask` and `generate` on checkpoint folders that are damaged: one line, exit code 2, no traceback."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import minibert
from minibert.data.tokenizer_byte_bpe import train_byte_bpe
from minibert.data.tokenizer_wordpiece import train_wordpiece

TEXT = ["The quick brown fox jumps over the lazy dog.", "A cat sat on the mat."] * 10
PROMPTS = {"bert": ("fill-mask", "a [MASK] cat"), "gpt2": ("generate", "--prompt", "a cat", "--max_new_tokens", "3")}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("folders")
    words, pieces = (
        minibert.BertTokenizer(train_wordpiece(TEXT, 60)),
        minibert.GPT2Tokenizer(train_byte_bpe(TEXT, 270)),
    )
    bert = minibert.BertConfig(len(words), 12, 1, 3, 8, max_position_embeddings=9)
    minibert.BertForPreTraining(bert).save_pretrained(root / "bert", words)
    gpt2 = minibert.GPT2Config(len(pieces), n_positions=9, n_embd=12, n_layer=1, n_head=3)
    minibert.GPT2LMHeadModel(gpt2).save_pretrained(root / "gpt2", pieces)
    return root


def cut(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])


def absurd_header(folder):
    (folder / "model.safetensors").write_bytes((2**60).to_bytes(8, "little") + b"{}")


def setting(name, value):
    def change(folder):
        content = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**content, name: value}))

    return change


def no_json(folder):
    (folder / "config.json").write_text("{")


def pickle(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def shard_outside(folder):
    shutil.move(folder / "model.safetensors", folder.parent / "x.safetensors")
    index = {"weight_map": {"a": "../x.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def not_finite(folder):
    tensors = load_file(folder / "model.safetensors")
    save_file({name: tensor * np.nan for name, tensor in tensors.items()}, folder / "model.safetensors")


def template(folder):
    content = json.loads((folder / "tokenizer.json").read_text())
    special = {"SpecialToken": {"id": "[NO]", "type_id": 0}}
    content["post_processor"] = {"type": "TemplateProcessing", "single": [special], "pair": [], "special_tokens": {}}
    (folder / "tokenizer.json").write_text(json.dumps(content))


WEIGHTS = [  # what `info` does not read
    (cut, "not a readable safetensors file"),
    (absurd_header, "header too large"),
    (not_finite, "the weights hold numbers that are not finite"),
    (pickle, "a pickle can run any code"),
    (shard_outside, "'../x.safetensors' is not the name of a safetensors file in the same folder"),
    (template, "[NO]"),
    (setting("vocab_size", 20), "tokens, but the model only 20"),
]
CONFIG = [
    (no_json, "config.json: not valid JSON"),
    (setting("vocab_size", -5), "vocab_size must be at least 1, but is -5"),
    (setting("vocab_size", True), "vocab_size must be int, but is True"),
    (setting("initializer_range", float("nan")), "initializer_range must be finite, but is nan"),
    (setting("model_type", "t5"), "model_type is 't5'; supported are bert, roberta, gpt2, openai-gpt"),
]
HUGE = {"bert": ("hidden_size", 3 * 10**6), "gpt2": ("n_embd", 3 * 10**6)}


def complaint(result):
    assert result.code == 2
    assert not result.out
    (line,) = result.err.splitlines()
    assert line.startswith("minibert: ")
    return line


def on(name, folder):
    command, *rest = PROMPTS[name]
    return [command, folder, *rest]


@pytest.fixture(params=PROMPTS)
def name(request):
    return request.param


@pytest.fixture
def damaged(folders, name, tmp_path):
    shutil.copytree(folders / name, tmp_path / "model")
    return tmp_path / "model"


def test_the_folders_work_as_they_are(command, folders, name):
    assert command(*on(name, folders / name)).code == 0


@pytest.mark.parametrize(("change", "message"), WEIGHTS)
def test_weights_and_tokenizers(command, damaged, name, change, message):
    change(damaged)
    assert message in complaint(command(*on(name, damaged)))


@pytest.mark.parametrize(("change", "message"), CONFIG)
def test_configurations(command, damaged, name, change, message):
    change(damaged)
    assert message in complaint(command(*on(name, damaged)))
    assert message in complaint(command("info", damaged))


def test_a_model_that_no_machine_has_room_for(command, damaged, name):
    setting(*HUGE[name])(damaged)
    for argv in (on(name, damaged), ["info", damaged]):
        assert "this machine has" in complaint(command(*argv))
