"""Files that are damaged at random: whatever comes out is an answer, or an error of minibert in one line.

A modest version of an experiment with tens of thousands of such files.
"""

import json
import random
import shutil
import warnings

import pytest
from hostile.damage import places

import minibert
from minibert.data.tokenizer_byte_bpe import train_byte_bpe
from minibert.data.tokenizer_wordpiece import train_wordpiece
from minibert.errors import MinibertError

TEXT = ["The quick brown fox jumps over the lazy dog.", "A cat sat on the mat."] * 10
SHARD, INDEX = "model-00001-of-00001.safetensors", "model.safetensors.index.json"
FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", INDEX, SHARD)
NUMBERS = [-1, 0, 1, 3, 10**6, 2**31, 2**64, 10**30, 1.5, float("nan"), float("inf"), 1e300]
OTHERS = [True, False, None, "", "x", "../x", "/etc/passwd", "\0", "é" * 50, [], [1], {}, {"a": 1}, [[]]]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """BERT and GPT-2 with their tokenizers, the weights in a shard with an index."""
    root = tmp_path_factory.mktemp("whole")
    words, pieces = (
        minibert.BertTokenizer(train_wordpiece(TEXT, 60)),
        minibert.GPT2Tokenizer(train_byte_bpe(TEXT, 270)),
    )
    bert = minibert.BertConfig(len(words), 12, 1, 3, 8, max_position_embeddings=20)
    gpt2 = minibert.GPT2Config(len(pieces), n_positions=9, n_embd=12, n_layer=1, n_head=3)
    models = {
        "fill-mask": (minibert.BertForMaskedLM(bert), words),
        "text-generation": (minibert.GPT2LMHeadModel(gpt2), pieces),
    }
    for task, (model, tokenizer) in models.items():
        model.save_pretrained(root / task, tokenizer)
        (root / task / "model.safetensors").rename(root / task / SHARD)
        weight_map = dict.fromkeys(model.to_hf(), SHARD)
        (root / task / INDEX).write_text(json.dumps({"weight_map": weight_map}))
    return root


def changed_value(text, rng):
    """Replace, remove or rename one value of a JSON text."""
    content = json.loads(text)
    *path, last = rng.choice(list(places(content)))
    node = content
    for key in path:
        node = node[key]
    how = rng.random()
    if how < 0.15:
        del node[last]
    elif how < 0.25 and isinstance(node, dict):
        node["renamed"] = node.pop(last)
    else:
        node[last] = rng.choice(NUMBERS + OTHERS)
    return json.dumps(content).encode()


def changed_bytes(data, rng):
    """Cut the end off, or flip some bits."""
    if rng.random() < 0.3:
        return data[: rng.randrange(len(data))]
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 3, 20])):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def mutated(name, data, rng):
    if rng.random() < 0.4:
        return changed_bytes(data, rng)
    if name != SHARD:
        return changed_value(data.decode(), rng)
    begin = 8 + int.from_bytes(data[:8], "little")
    header = changed_value(data[8:begin].decode(), rng)
    return len(header).to_bytes(8, "little") + header + data[begin:]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(("task", "text"), [("fill-mask", "a [MASK] cat"), ("text-generation", "a cat")])
def test_a_damaged_file_is_read_or_refused(folders, tmp_path, name, task, text):
    rng = random.Random(f"{name} {task}")
    whole = (folders / task / name).read_bytes()
    shutil.copytree(folders / task, tmp_path / "model")
    refusals = []
    for _ in range(40):
        (tmp_path / "model" / name).write_bytes(mutated(name, whole, rng))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # tensors that are left over; sums of absurd weights that overflow
                minibert.pipeline(task, tmp_path / "model")(text)
        except MinibertError as error:
            refusals.append(str(error))
    assert len(refusals) >= 5
    assert not [message for message in refusals if "\n" in message]
