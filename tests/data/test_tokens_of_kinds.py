"""Byte pairs and characters: the tokens on disk are those of the whole documents, and give the text back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minibert.data.pieces import LONGEST, split_losslessly
from minibert.data.tokenizer import separator_id, train_byte_bpe, train_tokenizer
from minibert.data.tokens import build_tokens

DOCUMENTS = [
    "To be,\n  or not\n\n\n\tto be: that's it. \n",
    "One line only.",
    "\n\n first comes space\r\n",
    "naïve 猫 😀\n" * 30,
]
DOCUMENTS.append("word " * 5000 + "\n" + "x" * 25_000)


@pytest.fixture(scope="module", params=[("bpe", True), ("bpe", False), ("char", True), ("char", False)])
def tokenizer(request):
    kind, masked = request.param
    return train_tokenizer(kind, DOCUMENTS, 275 if kind == "bpe" else 300, masked=masked)


def tokens_of(corpus, document):
    return np.concatenate([corpus.sentence(i) for i in corpus.sentences(document)]).tolist()


def test_a_document_is_its_tokens(tokenizer, tmp_path):
    corpus = build_tokens(DOCUMENTS, tokenizer, tmp_path)
    assert corpus.tokens.dtype == np.uint16
    assert len(corpus.documents) == len(DOCUMENTS)
    for i, document in enumerate(DOCUMENTS):
        assert tokenizer.decode(tokens_of(corpus, i)) == document
    for i, document in enumerate(DOCUMENTS[:-1]):  # the last one has a word too long for one piece
        assert tokens_of(corpus, i) == tokenizer.encode(document, add_special_tokens=False)
    assert separator_id(tokenizer) not in corpus.tokens or tokenizer.decode([separator_id(tokenizer)]) == "\n"


def test_with_or_without_its_methods_it_is_the_same_tokenizer(tokenizer, tmp_path):
    build_tokens(DOCUMENTS, tokenizer, tmp_path)
    build_tokens(DOCUMENTS, tokenizer.backend_tokenizer, tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


def test_special_tokens_in_the_text_are_only_text(tmp_path):
    text = "a <mask> b</s><|endoftext|><unk>"
    corpus = build_tokens([text], train_tokenizer("bpe", DOCUMENTS, 270), tmp_path)
    assert set(range(5)).isdisjoint(corpus.tokens.tolist())


def test_a_large_vocabulary_needs_wider_numbers(tmp_path):
    backend = train_byte_bpe(DOCUMENTS, 257)
    backend.add_tokens([f"w{i}" for i in range(66_000)])
    corpus = build_tokens(["w65999"], backend, tmp_path)
    assert corpus.tokens.dtype == np.uint32
    assert corpus.tokens.tolist() == [257 + 65_999]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from([*"aé猫 '\n\r\t\x00\x1c\x85\u00a0\u2028\u3000", "'s", "  ", "\n\n", "12", "!?"])).map(
        "".join
    )
)
def test_cuts_change_no_byte_pair(text):
    parts = split_losslessly(text)
    assert "".join(parts) == text
    assert all(parts)
    tokens = [token for part in parts for token in PAIRS.encode(part).tokens]
    assert tokens == PAIRS.encode(text).tokens


PAIRS = train_byte_bpe(["\n\n   a  'sé 猫 12 !?\n \t\u00a0\u3000 aa\r\n"] * 9, 275)


@pytest.mark.parametrize("unit", ["word ", "  ", "x", "\n", "\n ", "a\n", "猫", "a  \t "])
def test_no_piece_is_long(unit):
    text = unit * (100_000 // len(unit))
    parts = split_losslessly(text)
    assert "".join(parts) == text
    assert max(map(len, parts)) <= LONGEST
