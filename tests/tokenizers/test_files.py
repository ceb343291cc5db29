"""Folders open as they were saved; a damaged file is named, in one line, whatever is wrong with it."""

import json

import pytest

import minibert
from minibert.errors import ConfigError, DataError, MinibertError
from minibert.tokenizers.panics import explained

TEXTS = ("The statement, of 3.14", " naïve  猫\n\n", "", "[MASK]<mask><|endoftext|>")
FILES = {
    "bert": {"tokenizer.json", "tokenizer_config.json", "vocab.txt"},
    "gpt2": {"tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"},
    "roberta": {"tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"},
    "char": {"tokenizer.json", "tokenizer_config.json"},
}


def same(a, b):
    assert type(a) is type(b)
    assert a.special_tokens_map == b.special_tokens_map
    assert [dict(a(text, "b")) for text in TEXTS] == [dict(b(text, "b")) for text in TEXTS]


def test_saved_and_opened_again(name, tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == FILES[name.split("-")[0]]
    same(minibert.AutoTokenizer.from_pretrained(tmp_path), tokenizer)
    same(type(tokenizer).from_pretrained(tmp_path / "tokenizer.json"), tokenizer)


@pytest.mark.parametrize("name", ["bert-uncased", "bert-cased", "gpt2", "roberta"], indirect=True)
def test_vocabulary_files_alone(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    same(minibert.AutoTokenizer.from_pretrained(tmp_path), tokenizer)
    (tmp_path / "tokenizer_config.json").unlink()
    same(minibert.AutoTokenizer.from_pretrained(str(tmp_path)), tokenizer)


def test_settings_are_kept_and_options_go_first(trained, tmp_path):
    made = minibert.GPT2Tokenizer(
        trained("gpt2").backend_tokenizer,
        model_max_length=9,
        padding_side="left",
        truncation_side="left",
        pad_token="<|endoftext|>",
    )
    made.save_pretrained(tmp_path)
    opened = minibert.AutoTokenizer.from_pretrained(tmp_path)
    assert (opened.model_max_length, opened.padding_side, opened.truncation_side) == (9, "left", "left")
    assert opened.pad_token == "<|endoftext|>"
    assert minibert.GPT2Tokenizer.from_pretrained(tmp_path, model_max_length=5, pad_token=None).pad_token is None


def test_truncation_and_padding_of_a_file_are_switched_off(trained, tmp_path):
    trained("roberta").save_pretrained(tmp_path)
    content = json.loads((tmp_path / "tokenizer.json").read_text())
    content["truncation"] = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    same(minibert.AutoTokenizer.from_pretrained(tmp_path), trained("roberta"))


def test_older_descriptions_of_special_tokens(trained, tmp_path):
    trained("roberta").save_pretrained(tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    described = {"__type": "AddedToken", "content": "<mask>", "lstrip": True}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**config, "mask_token": described}))
    (tmp_path / "special_tokens_map.json").write_text(json.dumps({"pad_token": {"content": "<pad>"}}))
    same(minibert.AutoTokenizer.from_pretrained(tmp_path), trained("roberta"))


def test_added_tokens_of_older_folders(trained, tmp_path):
    gpt2 = trained("gpt2")
    gpt2.save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "added_tokens.json").write_text(json.dumps({"<new>": len(gpt2)}))
    opened = minibert.AutoTokenizer.from_pretrained(tmp_path)
    assert opened.tokenize("a<new>b") == ["a", "<new>", "b"]
    assert (len(opened), opened.vocab_size) == (len(gpt2) + 1, len(gpt2))
    (tmp_path / "added_tokens.json").write_text(json.dumps({"<new>": 7}))
    with pytest.raises(DataError, match=r"added_tokens\.json.*does not follow"):
        minibert.AutoTokenizer.from_pretrained(tmp_path)


def refusal(path, opener=minibert.AutoTokenizer):
    with pytest.raises(MinibertError) as caught:
        opener.from_pretrained(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_what_is_missing(trained, tmp_path):
    assert "no such tokenizer" in refusal(tmp_path / "nowhere")
    assert "holds neither" in refusal(tmp_path)
    trained("gpt2").save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "merges.txt").unlink()
    assert "merges.txt: missing" in refusal(tmp_path)


def test_another_kind_than_asked_for(trained, tmp_path):
    trained("gpt2").save_pretrained(tmp_path)
    assert "takes WordPiece only" in refusal(tmp_path, minibert.BertTokenizer)
    assert "takes single characters only" in refusal(tmp_path, minibert.CharTokenizer)
    assert "<pad> <s> <mask>, which RobertaTokenizer needs" in refusal(tmp_path, minibert.RobertaTokenizer)


def damaged(tokenizer, folder, change):
    """Save, and let `change` mend the content of tokenizer.json in place."""
    tokenizer.save_pretrained(folder)
    content = json.loads((folder / "tokenizer.json").read_text())
    change(content)
    (folder / "tokenizer.json").write_text(json.dumps(content))
    return refusal(folder)


def stripping(decoder):
    return {"type": "Sequence", "decoders": [{"type": "Strip", "content": "a", "start": 0, "stop": 9}, decoder]}


def gives(vocab, token, id):
    vocab[token] = id


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: gives(c["model"]["vocab"], "new", 7), "both have the id 7"),
        (lambda c: gives(c["model"]["vocab"], "new", 4 * 10**9), "has the id 4000000000; ids are integers from 0"),
        (lambda c: gives(c["model"]["vocab"], "new", -1), "has the id -1"),
        (lambda c: gives(c["model"]["vocab"], "new", "7"), "has the id '7'"),
        (lambda c: c["model"]["merges"].append(["a", "猫"]), "'猫' is not in the vocabulary; do the two"),
        (lambda c: c["model"]["merges"].append(["Q", "Z"]), "'QZ' is not in the vocabulary"),
        (lambda c: c["model"]["merges"].append(["Q"]), "is not a merge"),
        (lambda c: c["model"]["merges"].append(7), "is not a merge"),
        (lambda c: c["model"].pop("vocab"), "has no vocabulary"),
        (lambda c: gives(c["model"], "vocab", []), "not supported"),
        (lambda c: gives(c["model"], "type", "Unigram"), "not a tokenizer file that can be read"),
        (lambda c: c.pop("model"), "describes no model"),
        (lambda c: gives(c, "decoder", {"type": "nosuch"}), "not a tokenizer file that can be read"),
        (lambda c: gives(c, "decoder", None), "of a kind that is not supported"),
        (lambda c: gives(c["added_tokens"][0], "id", 9000), "leaves a gap"),
        # panics of the library, while it encodes and while it decodes
        (lambda c: gives(c, "normalizer", {"type": "Precompiled", "precompiled_charsmap": "A" * 8}), "cannot be used"),
        (lambda c: gives(c, "decoder", stripping(c["decoder"])), "cannot be used (index out of bounds"),
        (lambda c: gives(c["post_processor"], "cls", ["<s>", 9000]), "ids outside the vocabulary"),
    ],
)
def test_a_tokenizer_json_that_cannot_be(trained, tmp_path, change, message):
    assert message in damaged(trained("roberta"), tmp_path, change)


def test_a_file_that_makes_the_library_panic(trained, tmp_path, capfd):
    def change(content):
        content["post_processor"]["special_tokens"] = {}

    assert "adds '[CLS]', which its special_tokens do not describe" in damaged(trained("bert-cased"), tmp_path, change)
    assert not capfd.readouterr().err  # a panic of the library writes there


def test_a_prefix_that_pieces_do_not_have(trained, tmp_path, capfd):
    def change(content):
        content["model"]["continuing_subword_prefix"] = "a prefix longer than every token"

    assert "does not begin with" in damaged(trained("gpt2"), tmp_path, change)
    assert not capfd.readouterr().err


def test_only_panics_and_exceptions_are_explained():
    panic = type("PanicException", (BaseException,), {})
    for reason in (panic("a\nb"), Exception("a\nb")):
        with pytest.raises(DataError, match=r"^file \(a b\)$"), explained(DataError, "file"):
            raise reason
    with pytest.raises(KeyboardInterrupt), explained(DataError, "file"):
        raise KeyboardInterrupt
    with pytest.raises(ConfigError, match=r"^mine$"), explained(DataError, "file"):
        raise ConfigError("mine")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("tokenizer.json", "", "not valid JSON"),
        ("tokenizer.json", '{"model": {"vocab": {"a": 0', "not valid JSON"),
        ("tokenizer.json", "[]", "expected a JSON object, found list"),
        ("tokenizer.json", "[" * 100_000, "not valid JSON"),
        ("tokenizer.json", "{}", "not a tokenizer file"),
        ("tokenizer.json", '{"a": 1, "a": 2}', "'a' stands in one object twice"),
        ("tokenizer.json", b"\xff", "invalid UTF-8 at byte offset 0"),
        ("tokenizer_config.json", "{", "not valid JSON"),
        ("tokenizer_config.json", '{"pad_token": 5}', "pad_token cannot be 5"),
        ("tokenizer_config.json", '{"pad_token": "[PAD]"}', "lacks [PAD]"),
        ("tokenizer_config.json", '{"padding_side": "up"}', "must be 'left' or 'right'"),
        ("tokenizer_config.json", '{"model_max_length": "long"}', "model_max_length cannot be 'long'"),
        ("tokenizer_config.json", '{"model_max_length": 0}', "model_max_length is 0"),
    ],
)
def test_damaged_files(trained, tmp_path, file, content, message):
    trained("gpt2").save_pretrained(tmp_path)
    (tmp_path / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert message in refusal(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("vocab.json", "{}", "holds no vocabulary"),
        ("vocab.json", '{"a": 0, "b": 0}', "'a' and 'b' both have the id 0"),
        ("vocab.json", '{"a": 0, "a": 1}', "twice"),
        ("vocab.json", '{"a": 0}', "merges.txt, line 2: "),
        ("merges.txt", "#version: 0.2\na b c\n", "merges.txt, line 2: 'a b c' is not a merge"),
        ("merges.txt", "t h\na\n", "line 2: 'a' is not a merge"),
        ("merges.txt", "t h\nQ Z\n", "line 2: 'QZ' is not in the vocabulary"),
        ("merges.txt", b"t h\n\xff", "invalid UTF-8 at byte offset 4"),
    ],
)
def test_damaged_vocabulary_files(trained, tmp_path, file, content, message):
    trained("gpt2").save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert message in refusal(tmp_path)


def test_a_folder_that_cannot_be_written(bert, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        bert.save_pretrained(tmp_path / "file" / "folder")
