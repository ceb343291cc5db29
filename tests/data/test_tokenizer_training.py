"""Vocabularies of bytes and of characters: exact sizes, the same each time, and never too much memory."""

import json
import os
import subprocess
import sys
from itertools import islice

import numpy as np
import pytest

from minibert.data import alphabet, tokenizer_characters
from minibert.data.corpora import corpus_documents
from minibert.data.tokenizer import (
    separator_id,
    special_ids,
    train_byte_bpe,
    train_characters,
    train_tokenizer,
    word_starts,
)
from minibert.errors import ConfigError, DataError, MinibertError
from minibert.tokenizers import BertTokenizer, CharTokenizer, GPT2Tokenizer, RobertaTokenizer
from minibert.tokenizers.backends import ROBERTA_TOKENS

TEXT = ["The cat sat on the mat, unbelievably café-like.\n" * 3, "Cats sit; the mats were sat on. 我喜欢猫。猫好。" * 3]


@pytest.fixture(scope="module")
def documents():
    return list(islice(corpus_documents("python-docs"), 20))


@pytest.mark.parametrize("special", [("<|endoftext|>",), ROBERTA_TOKENS])
def test_special_tokens_then_bytes_then_pairs(documents, special):
    tokenizer = train_byte_bpe(documents, 400, special_tokens=special)
    vocab = tokenizer.get_vocab()
    assert sorted(vocab.values()) == list(range(400))
    tokens = sorted(vocab, key=vocab.get)
    assert tokens[: len(special)] == list(special)
    assert all(len(token) == 1 for token in tokens[len(special) :][:256])
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    assert ["".join(merge) for merge in merges] == tokens[len(special) + 256 :]


def test_the_first_merge_is_the_most_frequent_pair():
    tokenizer = train_byte_bpe(["abab ab", "xab"], 258)
    assert json.loads(tokenizer.to_str())["model"]["merges"] == [["a", "b"]]


def test_the_same_text_gives_the_same_vocabulary_in_every_process(documents):
    program = (
        "import json; from itertools import islice; from minibert.data.corpora import corpus_documents;"
        "from minibert.data.tokenizer import train_byte_bpe;"
        "print(json.dumps(train_byte_bpe(list(islice(corpus_documents('python-docs'), 20)), 500).to_str()))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    out = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True, text=True)
    assert json.loads(out.stdout) == train_byte_bpe(documents, 500).to_str()


def test_a_large_text_is_sampled(monkeypatch):
    monkeypatch.setattr(alphabet, "SAMPLE_CHARACTERS", 1000)
    monkeypatch.setattr(alphabet, "PIECE_CHARACTERS", 100)
    assert train_byte_bpe([" one two three four" * 10_000], 260).get_vocab_size() == 260


def test_sizes_that_cannot_be():
    with pytest.raises(DataError, match=r"vocabulary of 5000 .* can give only (\d+)") as caught:
        train_byte_bpe(TEXT, 5000)
    possible = int(str(caught.value).split("give only ")[1].split(":")[0])
    assert train_byte_bpe(TEXT, possible).get_vocab_size() == possible
    for kind, smallest in (("wordpiece", 7), ("bpe", 261), ("char", 7)):
        for size in (smallest - 1, -5):
            with pytest.raises(ConfigError, match=f"at least {smallest}"):
                train_tokenizer(kind, TEXT, size)
        with pytest.raises(ConfigError, match="at most 1000000"):
            train_tokenizer(kind, TEXT, 10**12)
        with pytest.raises(TypeError, match="list"):
            train_tokenizer(kind, iter(TEXT), 300)


def test_characters_are_sorted_and_include_the_line_feed():
    for text in (["hello\nworld"], ["hello", "world"]):
        vocab = train_characters(text).get_vocab()
        assert sorted(vocab, key=vocab.get) == ["<unk>", "\n", *sorted(set("helloworld"))]


def test_the_most_frequent_characters_are_kept():
    vocab = train_characters(["aaabbc", "猫猫猫猫d"], 5).get_vocab()
    assert sorted(vocab, key=vocab.get) == ["<unk>", "\n", "a", "b", "猫"]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_counting_in_batches_makes_no_difference(monkeypatch, size):
    whole = train_characters(TEXT, 12).get_vocab()
    monkeypatch.setattr(tokenizer_characters, "BATCH_CHARACTERS", size)
    assert train_characters(TEXT, 12).get_vocab() == whole


@pytest.mark.parametrize("documents", [[], [""]])
def test_no_text_at_all(documents):
    assert train_characters(documents).get_vocab() == {"<unk>": 0, "\n": 1}
    assert train_byte_bpe(documents, 257).get_vocab_size() == 257


@pytest.mark.parametrize(
    ("kind", "masked", "face", "separator"),
    [
        ("wordpiece", True, BertTokenizer, "[SEP]"),
        ("wordpiece", False, BertTokenizer, "[SEP]"),
        ("bpe", True, RobertaTokenizer, "</s>"),
        ("bpe", False, GPT2Tokenizer, "<|endoftext|>"),
        ("char", True, CharTokenizer, "</s>"),
        ("char", False, CharTokenizer, "\n"),
    ],
)
def test_a_kind_by_name(documents, kind, masked, face, separator):
    tokenizer = train_tokenizer(kind, documents, 300, masked=masked)
    assert type(tokenizer) is face
    for form in (tokenizer, tokenizer.backend_tokenizer):  # with the methods or without
        assert separator_id(form) == tokenizer.get_vocab()[separator]
        if masked:
            assert special_ids(form).mask == tokenizer.mask_token_id
            assert len(set(special_ids(form))) == 5
        elif kind != "wordpiece":
            with pytest.raises(DataError, match=r"no pad_token, .*mask_token, which a masked language model needs"):
                special_ids(form)


def test_an_unknown_kind():
    with pytest.raises(MinibertError, match="wordpiece, bpe, char"):
        train_tokenizer("unigram", TEXT, 300)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "char"])
def test_words_start_where_they_start(documents, kind):
    tokenizer = train_tokenizer(kind, documents, 400)
    starts = word_starts(tokenizer)
    assert starts.shape == (len(tokenizer),)
    ids = np.array(tokenizer.encode("the unparenthesised\nstatements of it", add_special_tokens=False))
    assert starts[ids[1:]].sum() == 4
    assert starts[tokenizer.all_special_ids].all()
