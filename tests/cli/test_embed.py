"""`minibert embed` and `minibert fetch`, as a user would."""

import io
import json
import sys

import numpy as np
import pytest
from sentence_cases import SENTENCES, make

import minibert
from minibert.data.released_models import RELEASED_MODELS
from minibert.sentence_encoder.recipe import Recipe


@pytest.fixture
def encoder(tmp_path):
    """A small encoder, in the folder `small`."""
    encoder = make(dtype="float32", recipe=Recipe("mean", True, 12))
    encoder.save_pretrained(tmp_path / "small")
    return encoder


@pytest.fixture
def embed(command):
    return lambda *argv: command("embed", *argv, "--backend", "numpy")


def test_two_sentences_have_a_cosine(encoder, embed):
    found = embed("small", "A cat sat.", "The dog.")
    a, b = encoder.encode(["A cat sat.", "The dog."])
    assert found.out == f"{a @ b:.4f}\n"
    assert found.err == ""


def test_several_sentences_are_paired(encoder, embed):
    lines = embed("small", *SENTENCES[2:], "--top_k", 3).out.splitlines()
    scores = [float(line.split()[0]) for line in lines]
    assert len(lines) == 3
    assert scores == sorted(scores, reverse=True)
    assert "  |  " in lines[0]


def test_a_query_finds_itself(encoder, embed, tmp_path):
    (tmp_path / "lines.txt").write_text("A cat sat.\n\n  The dog.\nThe fox.\n", encoding="utf-8")
    found = embed("small", "--input", "lines.txt", "--query", "The dog.", "--top_k", 2).out.splitlines()
    assert found[0] == " 1.0000  The dog."
    assert len(found) == 2


def test_files(encoder, embed, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("A cat sat.\nThe dog.\n"))
    expected = encoder.encode(["A cat sat.", "The dog."])
    assert embed("small", "--input", "-", "--output", "out.npy").code == 0
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)
    assert embed("small", "A cat sat.", "The dog.", "--output", "out.jsonl").code == 0
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [record["sentence"] for record in records] == ["A cat sat.", "The dog."]
    np.testing.assert_array_equal(np.array([record["embedding"] for record in records], np.float32), expected)
    assert embed("small", "A cat sat.", "The dog.", "--output", "-").out == (tmp_path / "out.jsonl").read_text()


def test_a_long_sentence_is_a_note(encoder, embed):
    found = embed("small", "A cat sat. " * 9, "The dog.")
    assert found.code == 0
    assert found.err == (
        "note: 1 of 2 sentences are longer than the 12 tokens (max_seq_length) that this encoder takes: "
        "what stands behind was cut off\n"
    )


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["small"], "there are no sentences"),
        (["small", "one"], "give --query or --output"),
        (["small", "a", "b", "--top_k", "0"], "--top_k must be at least 1"),
        (["small", "a", "b", "--batch_size", "-1"], "--batch_size must not be negative"),
        (["small", "a", "--output", "x.csv"], "must be a .npy or .jsonl file"),
        (["small", "a", "--output", "no/x.npy"], "there is no such folder"),
        (["small", "--input", "nosuch.txt"], "nosuch.txt"),
        (["small", "--input", "bad.txt"], "not UTF-8 at byte offset 2"),
        (["nosuch", "a", "b"], "no model of that name"),
    ],
)
def test_what_cannot_work(encoder, embed, tmp_path, argv, message):
    (tmp_path / "bad.txt").write_bytes(b"a\n\xff")
    found = embed(*argv)
    assert found.code == 2
    assert len(found.err.splitlines()) == 1
    assert message in found.err


def test_fetch_lists_what_there_is(command):
    out = command("fetch").out
    assert "all-minilm-l6-v2  (model, 83.5 MB, licence: Apache-2.0" in out
    assert "shakespeare  (corpus" in out
    assert "python-docs" not in out  # needs no fetching


def test_fetch_knows_names_only(command):
    found = command("fetch", "nosuch")
    assert found.code == 2
    assert "there are all-minilm-l6-v2, shakespeare" in found.err


def test_info_of_a_model_that_was_not_fetched(command, monkeypatch):
    found = command("info", "all-minilm-l6-v2")
    assert found.code == 0, found.err
    assert "22,713,216" in found.out
    assert "not yet: minibert fetch all-minilm-l6-v2" in found.out


def test_the_released_configuration_is_that_of_the_file(tmp_path, monkeypatch):
    """What `info` shows without files is what the files say: skips where they cannot be had."""
    from minibert.data.released_models import fetch_model
    from minibert.errors import DataError

    for released in RELEASED_MODELS.values():
        try:
            folder = fetch_model(released)
        except DataError as error:
            pytest.skip(f"{released.name} cannot be fetched here: {error}")
        assert minibert.BertConfig.from_pretrained(folder) == minibert.BertConfig.from_dict(released.config)
