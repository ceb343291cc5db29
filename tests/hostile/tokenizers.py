"""Tokenizers of every layout."""

import json

from hostile.damage import labelled
from hostile.reader import LONG, NOT_THERE, Reader, bytes_in, entry_in, file_cases, json_cases, swaps

from minibert.data.tokenizer_byte_bpe import train_byte_bpe
from minibert.data.tokenizer_characters import train_characters
from minibert.data.tokenizer_wordpiece import train_wordpiece
from minibert.tokenizers import AutoTokenizer
from minibert.tokenizers.auto import with_face

TEXT = ["The quick brown fox jumps over the lazy dog.", "A cat sat on the mat."] * 10
TRAINED = {"words": (train_wordpiece, 60), "bytes": (train_byte_bpe, 265), "characters": (train_characters, 40)}
LONE = {"words": ["vocab.txt", "added_tokens.json"], "bytes": ["vocab.json", "merges.txt", "special_tokens_map.json"]}
JSON, SETTINGS = "tokenizer.json", "tokenizer_config.json"


def make(folder):
    """Each kind as it is saved, and words and bytes from the files of older checkpoints too."""
    for kind, (train, size) in TRAINED.items():
        with_face(train(TEXT, size)).save_pretrained(folder / kind)
    for kind in LONE:
        old = folder / f"old-{kind}"
        old.mkdir()
        for path in (folder / kind).iterdir():
            if path.name not in (JSON, SETTINGS):
                old.joinpath(path.name).write_bytes(path.read_bytes())
    size = len((folder / "old-words/vocab.txt").read_text().split("\n")) - 1
    (folder / "old-words/added_tokens.json").write_text(json.dumps({"<new>": size, "<newer>": size + 1}))
    (folder / "old-bytes/special_tokens_map.json").write_text(json.dumps({"eos_token": {"content": "<|endoftext|>"}}))


def read(folder, name):
    """It encodes, and decodes what it has encoded."""
    tokenizer = AutoTokenizer.from_pretrained(folder / name.split("/")[0])
    ids = tokenizer("a fox <new> \N{SNOWMAN}")["input_ids"]
    assert all(type(id) is int and 0 <= id < 2**32 for id in ids)
    assert isinstance(tokenizer.decode(ids), str)


VOCABULARIES = {
    "a token twice": b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\na\n",
    "no special token": b"a\nb\n",
    "empty lines between": b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n\n\na\n",
    "two million empty lines": b"\n" * 2_000_000,
    "two million tokens": b"\n".join(b"%d" % i for i in range(2_000_000)),
    "a byte order mark": b"\xef\xbb\xbf[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n",
    "UTF-16": "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n".encode("utf-16"),
    "bytes that are no UTF-8": b"[PAD]\n\xff\n",
    "nothing": b"",
    "NULs": bytes(1000),
    "JSON": b'{"[PAD]": 0}',
    "no line feed": b"[PAD] [UNK] [CLS] [SEP] [MASK]",
    "carriage returns alone": b"[PAD]\r[UNK]\r[CLS]\r[SEP]\r[MASK]\ra\r",
    "half a surrogate pair": b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n\xed\xa0\x80\n",
    # read all the same
    "Windows line ends": b"[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\n[MASK]\r\na\r\n##b\r\n",
    "a NUL as a token": b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n\0\n",
    "a token of a million letters": b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n" + b"a" * 10**6 + b"\n",
    "special tokens alone": b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n",
}
MERGES = {
    "one token": b"#version: 0.2\na\n",
    "three tokens": b"#version: 0.2\na b c\n",
    "tokens that nobody knows": b"#version: 0.2\n\xe2\x98\x83 \xe2\x98\x83\n",
    "spaces alone": b"  \n",
    "two million lines": b"t h\n" * 2_000_000,
    "a line of 9 million letters": b"a " + b"b" * 9_000_000,
    "bytes that are no UTF-8": b"\xff \xff\n",
    "NULs": bytes(1000),
    "a byte order mark": b"\xef\xbb\xbft h\n",
    "the version twice": b"#version: 0.2\n#version: 0.2\n",
    "UTF-16": "t h\n".encode("utf-16"),
}
IDS = {
    "a gap": {"a": 0, "b": 2**31},
    "the same": {"a": 0, "b": 0},
    "negative": {"a": -1},
    "beyond 32 bits": {"a": 2**32},
    "beyond 64 bits": {"a": 2**64},
    "ten million": {"a": 10_000_000},
    "floats": {"a": 0.0},
    "texts": {"a": "0"},
    "truths": {"a": False},
    "lists": {"a": [0]},
    "nothing": {"a": None},
    "no tokens": {},
}


def json_changes(good):
    """Changes deep in a tokenizer.json, {name: content}."""
    content = json.loads(good)
    model = content["model"]

    def changed(**parts):
        return {**content, **parts}

    cases = {f"ids: {name}": changed(model={**model, "vocab": ids}) for name, ids in IDS.items()}
    cases["a vocabulary that is a list"] = changed(model={**model, "vocab": [["a", 0.0]]})
    cases["an added token with a gap"] = changed(added_tokens=[added("<x>", 100_000)])
    cases["an added token of a negative id"] = changed(added_tokens=[added("<x>", -1)])
    cases["an added token of no id"] = changed(added_tokens=[{"content": "<x>"}])
    cases["an added token beyond 64 bits"] = changed(added_tokens=[added("<x>", 2**64)])
    cases["added tokens that are texts"] = changed(added_tokens=["<x>"])
    cases["a normalizer that nobody knows"] = changed(normalizer={"type": "Nobody"})
    cases["a normalizer with a broken expression"] = changed(
        normalizer={"type": "Replace", "pattern": {"Regex": "("}, "content": ""}
    )
    cases["a splitter with a broken expression"] = changed(
        pre_tokenizer={"type": "Split", "pattern": {"Regex": "(?<"}, "behavior": "Isolated", "invert": False}
    )
    cases["a template of tokens that it does not describe"] = changed(
        post_processor={
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<x>", "type_id": 0}}],
            "pair": [],
            "special_tokens": {},
        }
    )
    cases["a template of ids beyond the vocabulary"] = changed(
        post_processor={
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<x>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"<x>": {"id": "<x>", "ids": [10**6], "tokens": ["<x>"]}},
        }
    )
    cases["sequences of normalizers in each other"] = changed(normalizer=nested("normalizers", 100))
    return cases


def nested(name, depth):
    inner = {"type": "Sequence", name: []}
    for _ in range(depth):
        inner = {"type": "Sequence", name: [inner]}
    return inner


def added(content, id):
    flags = dict.fromkeys(["single_word", "lstrip", "rstrip", "normalized"], False)
    return {"id": id, "content": content, "special": True, **flags}


def vocabulary_alone(data):
    """A vocab.txt without the file of added tokens, whose ids would not follow on it."""

    def change(folder):
        (folder / "old-words/vocab.txt").write_bytes(data)
        (folder / "old-words/added_tokens.json").unlink()

    return "old-words/vocab.txt", change


def tokenizer_reader(folder):
    make(folder)
    cases, swapped = {}, {}
    descriptions = [*(f"{kind}/{JSON}" for kind in TRAINED), "old-bytes/vocab.json", "old-words/added_tokens.json"]
    small = [*(f"{kind}/{SETTINGS}" for kind in TRAINED), "old-bytes/special_tokens_map.json"]
    cases |= dict(json_cases(*descriptions, *small)) | dict(file_cases("old-words/vocab.txt"))
    cases |= dict(file_cases("old-bytes/merges.txt"))
    cases |= {f"vocab.txt: {what}": vocabulary_alone(data) for what, data in VOCABULARIES.items()}
    cases |= {f"merges.txt: {what}": bytes_in("old-bytes/merges.txt", data) for what, data in MERGES.items()}
    cases |= {f"vocab.json: {w}": bytes_in("old-bytes/vocab.json", json.dumps(v).encode()) for w, v in IDS.items()}
    for kind in TRAINED:
        name = f"{kind}/{JSON}"
        for what, content in json_changes((folder / name).read_bytes()).items():
            cases[f"{name}: {what}"] = bytes_in(name, json.dumps(content).encode())
        swapped |= dict(swaps(folder, name))
        model = json.loads((folder / name).read_text())["model"]
        for key in model:
            for label, value in labelled().items():
                swapped[f"{name}: model.{key} = {label}"] = entry_in(name, "model", {**model, key: value})
    for name in small:
        swapped |= dict(swaps(folder, name, "pad_token", "do_lower_case", "model_input_names", "model_max_length"))
    files = [*descriptions, *small, "old-words/vocab.txt", "old-bytes/merges.txt"]
    return Reader(make, read, files, cases, ACCEPTED, swapped)


WITHOUT = "the folder can be opened without this file"
OPTIONAL = [f"{kind}/{SETTINGS}" for kind in TRAINED] + [
    "old-bytes/special_tokens_map.json",
    "old-words/added_tokens.json",
]
ACCEPTED = {
    **{f"{name}: {what}": WITHOUT for name in (*OPTIONAL, f"words/{JSON}", f"bytes/{JSON}") for what in NOT_THERE},
    **{f"{kind}/{JSON}: {LONG}": "a vocabulary may be long" for kind in TRAINED},
    **{
        f"{name}: {LONG}": "a vocabulary may be long"
        for name in ("old-bytes/vocab.json", "old-words/added_tokens.json")
    },
    **{f"vocab.txt: {name}": "one token a line, whatever it is" for name in list(VOCABULARIES)[-4:]},
}
