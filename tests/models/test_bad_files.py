"""Files that are damaged, absurd, or none at all: a typed error in one line, before any large allocation."""

import json
import shutil
import tracemalloc

import numpy as np
import pytest

import minibert
from minibert.errors import CheckpointError, ConfigError, DataError
from minibert.models import room

CONFIG = minibert.GPT2Config(vocab_size=23, n_embd=12, n_layer=2, n_head=3, n_positions=9)
SMALL = 5 * 2**20  # bytes that a refusal may take: the models that these files ask for take 100 times as much


def refusal(folder, error=CheckpointError, open_it=minibert.AutoModel.from_pretrained):
    """The message of the error that opening a folder raises, in one line; no memory was taken on the way to it."""
    tracemalloc.start()
    try:
        with pytest.raises(error) as raised:
            open_it(folder)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < SMALL
    message = str(raised.value)
    assert "\n" not in message
    assert len(message) < 700
    return message


@pytest.fixture
def saved(tmp_path):
    minibert.GPT2LMHeadModel(CONFIG, seed=3).save_pretrained(tmp_path)
    return tmp_path


def entry(shape, begin, end, kind="F32"):
    return {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}


def write(folder, header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    length = len(text) if length is None else length
    (folder / "model.safetensors").write_bytes(length.to_bytes(8, "little") + text + data)


HEADERS = {  # name -> arguments of `write`
    "length of 2^60": ({}, b"", 2**60),
    "length of 2^64 - 1": ({}, b"", 2**64 - 1),
    "length beyond the end": ({}, b"", 100),
    "overlapping offsets": ({"a": entry([2], 0, 8), "b": entry([2], 4, 12)}, bytes(12)),
    "one place for two": ({"a": entry([2], 0, 8), "b": entry([2], 0, 8)}, bytes(8)),
    "a hole": ({"a": entry([2], 8, 16)}, bytes(16)),
    "bytes left over": ({"a": entry([2], 0, 8)}, bytes(16)),
    "end before begin": ({"a": entry([2], 8, 0)}, bytes(8)),
    "negative offset": ({"a": entry([2], -8, 0)}, bytes(8)),
    "unknown kind of numbers": ({"a": entry([2], 0, 8, "Q32")}, bytes(8)),
    "shape that overflows": ({"a": entry([2**40, 2**40], 0, 8)}, bytes(8)),
    "shape larger than the file": ({"a": entry([2**40], 0, 2**42)}, bytes(8)),
    "negative shape": ({"a": entry([-2], 0, 8)}, bytes(8)),
    "shape that is none": ({"a": entry("2", 0, 8)}, bytes(8)),
    "header is a list": ([],),
    "header is no JSON": (b"{",),
    "header nested without end": (b"[" * 100_000,),
    "header is no text": (b"\xff\xfe{}",),
}


@pytest.mark.parametrize("arguments", HEADERS.values(), ids=HEADERS)
def test_absurd_headers(saved, arguments):
    write(saved, *arguments)
    assert "model.safetensors: not a readable safetensors file (" in refusal(saved)


def test_truncated_files(saved):
    file = saved / "model.safetensors"
    whole = file.read_bytes()
    begin = 8 + int.from_bytes(whole[:8], "little")
    for length in (0, 1, 7, 8, 9, begin // 2, begin - 1, begin, begin + 1, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        assert "not a readable safetensors file" in refusal(saved)


def test_an_empty_tensor_of_an_absurd_shape(saved):
    write(saved, {"wte.weight": entry([0, 2**62, 2**62], 0, 0)})
    assert "wte.weight: expected shape (23, 12) by config.json, found (0, 4611686018427387904" in refusal(saved)


def test_a_weight_file_that_is_a_folder(saved):
    (saved / "model.safetensors").unlink()
    (saved / "model.safetensors").mkdir()
    assert "model.safetensors: not found" in refusal(saved)


# Values of config.json -----------------------------------------------------------------------------------

GPT2 = CONFIG.to_dict()
BERT = minibert.BertConfig(23, 12, 2, 3, 8, max_position_embeddings=9).to_dict()
ROBERTA = minibert.RobertaConfig(23, 12, 2, 3, 8, max_position_embeddings=9).to_dict()
BAD_VALUES = [
    (GPT2, "n_embd", -12),
    (GPT2, "n_embd", 0),
    (GPT2, "n_embd", 12.0),
    (GPT2, "n_embd", "12"),
    (GPT2, "n_embd", None),
    (GPT2, "n_embd", [12]),
    (GPT2, "n_layer", True),
    (GPT2, "n_layer", 10**6),
    (GPT2, "n_head", 5),
    (GPT2, "vocab_size", 2**63),
    (GPT2, "vocab_size", 10**4000),
    (GPT2, "vocab_size", float("nan")),
    (GPT2, "n_inner", -1),
    (GPT2, "layer_norm_epsilon", float("nan")),
    (GPT2, "layer_norm_epsilon", float("inf")),
    (GPT2, "layer_norm_epsilon", -1e-5),
    (GPT2, "layer_norm_epsilon", 10**400),
    (GPT2, "initializer_range", 1e300),
    (GPT2, "initializer_range", True),
    (GPT2, "attn_pdrop", 1),
    (GPT2, "attn_pdrop", -0.1),
    (GPT2, "activation_function", "x" * 10_000),
    (GPT2, "bos_token_id", -5),
    (GPT2, "eos_token_id", 10**30),
    (GPT2, "pad_token_id", float("nan")),
    (GPT2, "tie_word_embeddings", False),
    (GPT2, "add_cross_attention", True),
    (BERT, "hidden_act", ["gelu"]),
    (BERT, "hidden_act", "swish"),
    (BERT, "is_decoder", True),
    (BERT, "tie_word_embeddings", False),
    (BERT, "position_embedding_type", "relative_key"),
    (BERT, "type_vocab_size", 0),
    (BERT, "pad_token_id", "0"),
    (BERT, "pad_token_id", -1),
    (BERT, "pad_token_id", 23),
    (ROBERTA, "pad_token_id", None),
    (ROBERTA, "bos_token_id", -1),
    (ROBERTA, "eos_token_id", 10**9),
    (BERT, "num_labels", 10**9),
    (BERT, "num_labels", 10**30),
    (BERT, "num_labels", "2"),
    (BERT, "id2label", 3),
    (BERT, "id2label", {"0": [], "1": "x"}),
    (BERT, "id2label", {"0": "a", str(10**9): "x"}),
    (BERT, "label2id", {"a": float("inf")}),
    (BERT, "problem_type", "x" * 10_000),
    (BERT, "classifier_dropout", 10**400),
    (BERT, "num_attention_heads", float("inf")),
]


@pytest.mark.parametrize(
    ("good", "name", "value"), BAD_VALUES, ids=[f"{name}={str(value)[:20]}" for _, name, value in BAD_VALUES]
)
def test_values_that_cannot_be(tmp_path, good, name, value):
    (tmp_path / "config.json").write_text(json.dumps({**good, name: value}))
    message = refusal(tmp_path, ConfigError)
    assert message.startswith(f"{tmp_path / 'config.json'}: ")
    assert name in message


def test_values_that_cannot_be_in_python():
    with pytest.raises(ConfigError, match="vocab_size must be at most 10,000,000, but is an integer of thousands"):
        minibert.GPT2Config(vocab_size=10**5000)
    with pytest.raises(ConfigError, match=r"n_layer must be int, but is np\.int64\(2\)"):
        minibert.GPT2Config(n_layer=np.int64(2))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", "null", "\xff", "[" * 100_000, '{"model_type": "gpt2", "n_embd": ' + "1" * 5000 + "}"]
)
def test_a_config_that_is_none(tmp_path, text):
    (tmp_path / "config.json").write_text(text, encoding="latin-1")
    assert "config.json: " in refusal(tmp_path)
    assert "config.json: " in refusal(tmp_path, open_it=minibert.GPT2Model.from_pretrained)


HUGE = [
    minibert.GPT2Config(n_embd=3_000_000, n_layer=1000),
    minibert.GPT2Config(vocab_size=10**7, n_embd=10**6, n_head=1),
    minibert.GPT2Config(n_positions=10**7, n_embd=10**6, n_head=1),
    minibert.GPT2Config(n_inner=10**7, n_embd=10**6, n_head=1),
    minibert.BertConfig(hidden_size=10**6, num_attention_heads=1, num_hidden_layers=100),
    minibert.RobertaConfig(type_vocab_size=10**7, hidden_size=10**6, num_attention_heads=1),
]


@pytest.mark.parametrize("config", HUGE)
def test_a_model_that_no_machine_has_room_for(tmp_path, config):
    """With a file and without, the estimate is given before anything is allocated."""
    config.save_pretrained(tmp_path)
    for open_it in (minibert.AutoModel.from_pretrained, lambda _: minibert.AutoModel.from_config(config)):
        message = refusal(tmp_path, ConfigError, open_it)
        assert f"has at least {config.weight_count():,} parameters" in message
        assert "this machine has" in message


def test_the_estimate_is_just_below_what_is_allocated(monkeypatch):
    """A machine of exactly the estimate takes the model, one byte less does not."""
    for make in (
        lambda: minibert.GPT2LMHeadModel(minibert.GPT2Config(2000, 100, n_embd=96, n_layer=2, n_head=3, n_inner=99)),
        lambda: minibert.BertForPreTraining(minibert.BertConfig(3000, 120, 6, 3, 150, max_position_embeddings=99)),
    ):
        model = make()
        count = model.config.weight_count()
        assert 0.95 * model.num_parameters() < count < model.num_parameters()
        monkeypatch.setattr(room, "machine_memory", lambda n=4 * count: n)
        make()
        monkeypatch.setattr(room, "machine_memory", lambda n=4 * count - 1: n)
        with pytest.raises(ConfigError, match="choose smaller sizes"):
            make()
        monkeypatch.undo()


def test_a_config_larger_than_its_file_is_refused_before_it_is_built(saved):
    """A model of 4 GB, which this machine may well have room for, and a file of a few kilobytes."""
    minibert.GPT2Config(vocab_size=23, n_embd=9216, n_head=3, n_layer=1).save_pretrained(saved)
    assert "wte.weight: expected shape (23, 9216) by config.json, found (23, 12)" in refusal(saved)


# Pickles and links ------------------------------------------------------------------------------------


PICKLES = {  # name -> the files that the recipe converts
    "pytorch_model.bin": "pytorch_model.bin",
    "pytorch_model-00001-of-00002.bin": "pytorch_model-*-of-00002.bin",
    "model.pt": "model.pt",
    "x.pth": "x.pth",
    "$(rm -r ~)'.bin": "*.bin",  # the line is for the shell
}


@pytest.mark.parametrize(("name", "files"), PICKLES.items())
def test_pickles_are_refused_with_a_recipe(saved, name, files):
    (saved / "model.safetensors").rename(saved / name)
    message = refusal(saved)
    assert message.startswith(f"{saved / name}: a pickle can run any code")
    assert f"glob.glob('{files}')" in message
    for open_it in (minibert.GPT2Model.from_pretrained, minibert.AutoModel.from_pretrained):
        assert "a pickle" in refusal(saved / name, open_it=open_it)


def test_what_a_trainer_pickled_beside_the_weights_is_not_meant(saved):
    (saved / "model.safetensors").rename(saved / "pytorch_model.bin")
    for name in ("optimizer.pt", "rng_state_0.pth", "scheduler.pt", "training_args.bin"):
        (saved / name).write_bytes(b"junk")
    assert refusal(saved).startswith(f"{saved / 'pytorch_model.bin'}: a pickle")
    (saved / "pytorch_model.bin").unlink()
    assert "model.safetensors: not found" in refusal(saved)


def test_a_pickle_beside_safetensors_is_not_looked_at(saved):
    (saved / "pytorch_model.bin").write_bytes(b"junk")
    minibert.GPT2LMHeadModel.from_pretrained(saved)


def index(folder, shard):
    """Put the weights of a folder into one shard with an index."""
    names = list(minibert.GPT2LMHeadModel(CONFIG).to_hf())
    (folder / "model.safetensors").rename(shard)
    weight_map = dict.fromkeys(names, "model-00001-of-00001.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return folder / "model-00001-of-00001.safetensors"


def test_a_shard_that_is_a_link_out_of_the_folder(saved, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "x.safetensors"
    index(saved, outside).symlink_to(outside)
    assert "is a link to a file outside the folder" in refusal(saved)


def test_links_inside_the_folder_and_to_hugging_faces_blobs_open(tmp_path):
    """Its cache keeps the files of `snapshots/REVISION/` in `blobs/`, under their checksums."""
    folder = tmp_path / "snapshots" / "0123abcd"
    minibert.GPT2LMHeadModel(CONFIG, seed=3).save_pretrained(folder)
    (tmp_path / "blobs").mkdir()
    index(folder, tmp_path / "blobs" / "4567").symlink_to("../../blobs/4567")
    minibert.GPT2LMHeadModel.from_pretrained(folder)
    (folder / "model-00001-of-00001.safetensors").unlink()
    shutil.move(tmp_path / "blobs" / "4567", folder / "data")
    (folder / "model-00001-of-00001.safetensors").symlink_to("data")
    minibert.GPT2LMHeadModel.from_pretrained(folder)


# Tokenizers and prompts --------------------------------------------------------------------------------


def characters(letters):
    from minibert.data.tokenizer_characters import train_characters

    return minibert.CharTokenizer(train_characters([letters]))


def test_a_tokenizer_larger_than_the_model(tmp_path):
    tokenizer = characters("abcdefghijklmnopqrstuvwxyz")
    model = minibert.GPT2LMHeadModel(minibert.GPT2Config(len(tokenizer) - 1, n_embd=12, n_layer=1, n_head=3))
    message = rf"the tokenizer has {len(tokenizer)} tokens, but the model only {len(tokenizer) - 1} \(vocab_size\)"
    with pytest.raises(DataError, match=message):
        model.save_pretrained(tmp_path / "none", tokenizer)
    assert not (tmp_path / "none").exists()
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()  # it is found before weights are looked for
    with pytest.raises(DataError, match=message):
        minibert.pipeline("text-generation", tmp_path)


def test_a_tokenizer_with_a_gap_in_its_ids(tmp_path):
    """As many tokens as the model has, but the last one has an id that the model does not have."""
    tokenizer = characters("abc")
    model = minibert.GPT2LMHeadModel(minibert.GPT2Config(len(tokenizer), n_embd=12, n_layer=1, n_head=3))
    model.save_pretrained(tmp_path, tokenizer)
    content = json.loads((tmp_path / "tokenizer.json").read_text())
    content["model"]["vocab"]["c"] = len(tokenizer)
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=f"has {len(tokenizer) + 1} tokens, but the model only {len(tokenizer)} "):
        minibert.pipeline("text-generation", tmp_path)


TASKS = {
    "fill-mask": minibert.BertForMaskedLM,
    "text-classification": minibert.BertForSequenceClassification,
    "feature-extraction": minibert.BertModel,
}


@pytest.mark.parametrize("task", TASKS)
def test_every_task_asks_whether_tokenizer_and_model_belong_together(tmp_path, task):
    """With a folder before any weight is read, and with a model and a tokenizer that are open already."""
    from minibert.data.tokenizer_wordpiece import train_wordpiece

    tokenizer = minibert.BertTokenizer(train_wordpiece(["the cat sat on the mat"] * 9, 30))
    model = TASKS[task](minibert.BertConfig(len(tokenizer) - 1, 12, 1, 3, 8, max_position_embeddings=9))
    message = rf"the tokenizer has {len(tokenizer)} tokens, but the model only {len(tokenizer) - 1} \(vocab_size\)"
    with pytest.raises(DataError, match=message):
        minibert.pipeline(task, model, tokenizer)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    for open_it in (lambda folder: minibert.pipeline(task, folder), minibert.SentenceEncoder.from_pretrained):
        with pytest.raises(DataError, match=message) as refused:
            open_it(tmp_path)
        assert str(refused.value).startswith(f"{tmp_path}: ")


def test_a_model_is_saved_with_its_tokenizer(tmp_path):
    tokenizer = characters("abc \n")
    config = minibert.GPT2Config(len(tokenizer), n_positions=9, n_embd=12, n_layer=1, n_head=3)
    minibert.GPT2LMHeadModel(config).save_pretrained(tmp_path, tokenizer)
    names = {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert {file.name for file in tmp_path.iterdir()} == names
    write = minibert.pipeline("text-generation", tmp_path)
    assert write("ab", max_new_tokens=2)[0]["generated_text"].startswith("ab")
    with pytest.raises(DataError, match="the prompt has 30 tokens, but the model has positions for 9"):
        write("abc" * 10)
    with pytest.raises(ConfigError, match="return_tensors is 'pt'; minibert works on NumPy arrays"):
        write.tokenizer("abc", return_tensors="pt")
