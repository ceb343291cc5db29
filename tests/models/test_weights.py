"""Checkpoint folders: shards, half precision, and files that are broken or point elsewhere."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from minibert import GPT2Config, GPT2LMHeadModel
from minibert.errors import CheckpointError, ConfigError
from minibert.models.safetensors_file import read_tensors
from minibert.tree import flatten

CONFIG = GPT2Config(vocab_size=23, n_embd=12, n_layer=2, n_head=3, n_positions=9)
INDEX = "model.safetensors.index.json"


@pytest.fixture
def saved(tmp_path):
    model = GPT2LMHeadModel(CONFIG, seed=3)
    model.save_pretrained(tmp_path)
    return model, tmp_path


def shard(folder):
    """Split the weights of a folder into two shards with an index, as Hugging Face names them."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names, weight_map = sorted(tensors), {}
    for i, part in enumerate((names[::2], names[1::2]), start=1):
        file = f"model-0000{i}-of-00002.safetensors"
        save_file({name: tensors[name] for name in part}, folder / file)
        weight_map.update(dict.fromkeys(part, file))
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def assert_opens(model, folder):
    opened = flatten(GPT2LMHeadModel.from_pretrained(folder).params)
    for name, array in flatten(model.params).items():
        np.testing.assert_array_equal(opened[name], array)


def test_shards_open(saved):
    model, folder = saved
    shard(folder)
    assert_opens(model, folder)


def test_weights_are_written_in_shards(saved):
    """Of at most 2 kB, but for a tensor that is larger alone; what was there before goes, and so back again."""
    model, folder = saved
    model.save_pretrained(folder, max_shard_size="2kB")
    index = json.loads((folder / INDEX).read_text())
    files = sorted(path.name for path in folder.glob("*.safetensors"))
    n = len(files)
    assert n >= 5
    assert files == [f"model-{i:05}-of-{n:05}.safetensors" for i in range(1, n + 1)]
    found = {name: file for file in files for name in load_file(folder / file)}
    assert found == index["weight_map"]
    assert index["metadata"] == {"total_size": 4 * model.num_parameters()}
    for parts in (load_file(folder / file) for file in files):
        assert len(parts) == 1 or sum(tensor.nbytes for tensor in parts.values()) <= 2000
    assert_opens(model, folder)
    for size in (None, "1 MiB", 10**6):
        model.save_pretrained(folder, max_shard_size=3000)
        assert len(list(folder.glob("*.safetensors"))) < n
        assert_opens(model, folder)
        model.save_pretrained(folder, max_shard_size=size)
        assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors"}
        assert_opens(model, folder)


@pytest.mark.parametrize("size", [0, -1, 2.5, True, "", "5", "GB", "5XB", "-5GB", "0MB", "9" * 100 + "B", [5]])
def test_a_size_of_shards_that_is_none(tmp_path, size):
    with pytest.raises(ConfigError, match="max_shard_size must be a number of bytes, or a text like"):
        GPT2LMHeadModel(CONFIG).save_pretrained(tmp_path / "none", max_shard_size=size)
    assert not (tmp_path / "none").exists()


def test_a_missing_shard_is_named(saved):
    _, folder = saved
    shard(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model-00002-of-00002\.safetensors: not found"):
        GPT2LMHeadModel.from_pretrained(folder)


@pytest.mark.parametrize(
    "name",
    [
        "../model.safetensors",
        "/etc/model.safetensors",
        "a/b.safetensors",
        "..\\m.safetensors",
        "C:m.safetensors",
        "x",
    ],
)
def test_a_shard_may_not_leave_the_folder(saved, name):
    _, folder = saved
    shard(folder)
    (folder / INDEX).write_text(json.dumps({"weight_map": {"wte.weight": name}}))
    with pytest.raises(CheckpointError, match="is not the name of a safetensors file in the same folder"):
        GPT2LMHeadModel.from_pretrained(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("\x00", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "expected a JSON object, found list"),
        ("{}", "expected JSON with a `weight_map`"),
        ('{"weight_map": 3}', "expected JSON with a `weight_map`"),
        ('{"weight_map": {"a": 3}}', "expected JSON with a `weight_map`"),
        ('{"weight_map": {"a": []}}', "expected JSON with a `weight_map`"),
    ],
)
def test_a_broken_index_is_refused(saved, text, message):
    _, folder = saved
    shard(folder)
    (folder / INDEX).write_text(text)
    with pytest.raises(CheckpointError, match=rf"index\.json: {message}"):
        GPT2LMHeadModel.from_pretrained(folder)


def test_a_tensor_that_no_shard_holds_is_named(saved):
    _, folder = saved
    shard(folder)
    index = json.loads((folder / INDEX).read_text())
    index["weight_map"] = dict.fromkeys(index["weight_map"], "model-00001-of-00002.safetensors")
    (folder / INDEX).write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=r"parameters are missing, for example \w+"):
        GPT2LMHeadModel.from_pretrained(folder)


def test_weights_in_float16_are_converted(saved):
    model, folder = saved
    tensors = load_file(folder / "model.safetensors")
    save_file({name: tensor.astype(np.float16) for name, tensor in tensors.items()}, folder / "model.safetensors")
    opened = flatten(GPT2LMHeadModel.from_pretrained(folder).params)
    for name, array in flatten(model.params).items():
        assert opened[name].dtype == np.float32
        np.testing.assert_array_equal(opened[name], array.astype(np.float16))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e39, -1e39])
def test_numbers_that_are_not_finite_as_float32_are_refused(saved, number):
    """1e39 is finite in the file, which holds float64, and as float64, but not as float32."""
    _, folder = saved
    tensors = {name: tensor.astype(np.float64) for name, tensor in load_file(folder / "model.safetensors").items()}
    tensors["transformer.h.1.ln_2.bias"][1] = number
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"hold numbers that are not finite: transformer\.h\.1\.ln_2\.bias"):
        GPT2LMHeadModel.from_pretrained(folder)
    if np.isfinite(number):
        assert GPT2LMHeadModel.from_pretrained(folder, dtype="float64").params


def write_bfloat16(path, tensors):
    """A safetensors file by its definition: length of the header, header, the upper halves of float32 numbers."""
    header, data = {}, b""
    for name, tensor in tensors.items():
        bits = np.ascontiguousarray(tensor, np.float32).view(np.uint32)
        piece = (bits >> 16).astype("<u2").tobytes()
        header[name] = {"dtype": "BF16", "shape": tensor.shape, "data_offsets": [len(data), len(data) + len(piece)]}
        data += piece
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def test_weights_in_bfloat16_are_converted(saved):
    model, folder = saved
    write_bfloat16(folder / "model.safetensors", load_file(folder / "model.safetensors"))
    opened = flatten(GPT2LMHeadModel.from_pretrained(folder, dtype="float64").params)
    for name, array in flatten(model.params).items():
        assert opened[name].dtype == np.float64
        bits = array.view(np.uint32) & np.uint32(0xFFFF0000)
        np.testing.assert_array_equal(opened[name], bits.view(np.float32))


def test_bfloat16_numbers_have_their_values(tmp_path):
    """1.5 = 0x3FC0, -2 = 0xC000, 2**-126 = 0x0080 (smallest normal number), infinity = 0x7F80."""
    numbers = np.array([1.5, -2.0, 2.0**-126, np.inf, 0.0], np.float32)
    write_bfloat16(tmp_path / "x.safetensors", {"x": numbers, "scalar": np.array(1.5)})
    tensors = read_tensors(tmp_path / "x.safetensors")
    np.testing.assert_array_equal(tensors["x"].values(), numbers)
    assert tensors["scalar"].shape == ()
