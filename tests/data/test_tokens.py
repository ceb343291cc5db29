"""Token ids on disk say what the text says, are made once, and are never half-written; splits are by document."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from minibert.data import token_corpus, tokens
from minibert.data.sentences import split_sentences
from minibert.data.tokenizer import special_ids, train_wordpiece
from minibert.data.tokens import TokenCorpus, build_tokens, open_tokens
from minibert.errors import ConfigError, DataError

DOCUMENTS = [
    "The cat sat. The mat lay.\n\nA cat!",
    "One sentence only.",
    "\n \n",
    "The cat saw [MASK]. Cats see 猫。猫好。",
]


@pytest.fixture(scope="module")
def tokenizer():
    return train_wordpiece([" ".join(DOCUMENTS) * 2], 60)


@pytest.fixture
def corpus(tokenizer, tmp_path):
    return build_tokens(DOCUMENTS, tokenizer, tmp_path)


def made(sizes, sentence=5):
    """A corpus of documents with so many sentences of `sentence` tokens each; token i is i modulo 100."""
    starts = np.concatenate(([0], np.cumsum(sizes)))
    ids = (np.arange(starts[-1] * sentence) % 100).astype(np.uint16)
    return TokenCorpus(ids, np.arange(starts[-1] + 1) * sentence, starts, np.arange(len(sizes)))


def test_sentences_and_documents_are_those_of_the_text(corpus, tokenizer):
    sentences = [split_sentences(document) for document in DOCUMENTS if document.strip()]
    assert corpus.documents.tolist() == [0, 1, 2]
    for document, texts in enumerate(sentences):
        numbers = corpus.sentences(document)
        assert len(numbers) == len(texts)
        for i, text in zip(numbers, texts, strict=True):
            if "[MASK]" not in text:
                assert corpus.sentence(i).tolist() == tokenizer.encode(text, add_special_tokens=False).ids


def test_arrays_have_the_promised_shapes_and_types(corpus):
    assert corpus.tokens.dtype == np.uint16
    assert corpus.sentence_starts.dtype == corpus.document_starts.dtype == corpus.documents.dtype == np.int64
    assert corpus.sentence_starts[0] == corpus.document_starts[0] == 0
    assert corpus.sentence_starts[-1] == len(corpus.tokens) == corpus.n_tokens
    assert corpus.document_starts[-1] == len(corpus.sentence_starts) - 1
    assert not corpus.tokens.flags.writeable


def test_a_special_token_in_the_text_is_only_text(corpus, tokenizer):
    assert special_ids(tokenizer).mask not in corpus.tokens
    assert "[mask]" in tokenizer.decode(corpus.tokens.tolist()).replace(" ", "")
    assert special_ids(tokenizer).mask in tokenizer.encode("[MASK]").ids  # the caller's tokenizer is as it was


def test_a_large_vocabulary_needs_wider_numbers(tmp_path):
    from minibert.data.tokenizer import SPECIAL_TOKENS, load_tokenizer

    vocab = [*SPECIAL_TOKENS, *(f"w{i}" for i in range(66_000))]
    (tmp_path / "vocab.txt").write_text("\n".join(vocab))
    corpus = build_tokens(["w65990 w1."], load_tokenizer(tmp_path), tmp_path)
    assert corpus.tokens.dtype == np.uint32
    assert corpus.tokens[:2].tolist() == [65_995, 6]


@pytest.mark.parametrize("characters", [1, 20, 1_000_000])
def test_batches_make_no_difference(corpus, tokenizer, tmp_path, monkeypatch, characters):
    monkeypatch.setattr(tokens, "BATCH_CHARACTERS", characters)
    again = build_tokens(DOCUMENTS, tokenizer, tmp_path / "other")
    for name in ("tokens", "sentence_starts", "document_starts", "documents"):
        np.testing.assert_array_equal(getattr(again, name), getattr(corpus, name))


def forbid_encoding(monkeypatch):
    def write(*_):
        raise AssertionError("encoded a second time")

    monkeypatch.setattr(tokens, "_write", write)


def test_the_same_text_and_tokenizer_are_encoded_once(corpus, tokenizer, tmp_path, monkeypatch):
    forbid_encoding(monkeypatch)
    assert build_tokens(list(DOCUMENTS), tokenizer, tmp_path).tokens.tolist() == corpus.tokens.tolist()


def test_other_text_or_another_tokenizer_is_another_cache(corpus, tokenizer, tmp_path):
    build_tokens([*DOCUMENTS, "More."], tokenizer, tmp_path)
    build_tokens(["".join(DOCUMENTS)], tokenizer, tmp_path)
    build_tokens(DOCUMENTS, train_wordpiece([" ".join(DOCUMENTS) * 2], 50), tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


def test_a_failure_leaves_nothing_behind(tokenizer, tmp_path):
    class Failing:
        passes = 0

        def __iter__(self):
            self.passes += 1
            yield "The cat sat."
            if self.passes == 2:
                raise DataError("the disk caught fire")

    with pytest.raises(DataError, match="caught fire"):
        build_tokens(Failing(), tokenizer, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_killed_processes_left_is_removed_after_some_days(tokenizer, tmp_path):
    for name, days in (("incomplete-old", 8), ("incomplete-new", 0)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - days * 86_400,) * 2)
    build_tokens(DOCUMENTS, tokenizer, tmp_path)
    assert not (tmp_path / "incomplete-old").exists()
    assert (tmp_path / "incomplete-new").exists()


@pytest.mark.parametrize("name", ["tokens.bin", "sentence_starts.bin", "document_starts.bin", "meta.json"])
@pytest.mark.parametrize("damage", ["missing", "short", "empty"])
def test_a_damaged_cache_is_refused_and_made_anew(corpus, tokenizer, tmp_path, name, damage):
    (folder,) = tmp_path.iterdir()
    file = folder / name
    content = b"" if damage == "empty" else file.read_bytes()[:-8]
    file.unlink()
    if damage != "missing":
        file.write_bytes(content)
    with pytest.raises(DataError, match="not a complete folder of tokens"):
        open_tokens(folder)
    assert build_tokens(DOCUMENTS, tokenizer, tmp_path).n_tokens == corpus.n_tokens
    assert open_tokens(folder).n_tokens == corpus.n_tokens


BUILD = """
import sys
from minibert.data.tokenizer import train_wordpiece
from minibert.data.tokens import build_tokens
documents = sys.argv[2:]
print(build_tokens(documents * 200, train_wordpiece([" ".join(documents) * 2], 60), sys.argv[1]).n_tokens)
"""


def test_two_processes_at_once(tmp_path):
    command = [sys.executable, "-c", BUILD, str(tmp_path), *DOCUMENTS]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    sizes = [int(process.communicate(timeout=120)[0]) for process in processes]
    assert sizes[0] == sizes[1] > 0
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("documents", [[], ["", " \n\n "], ["\x01\x02", "\u200b"]])
def test_no_text_at_all(tokenizer, tmp_path, documents):
    with pytest.raises(DataError, match="no token is left"):
        build_tokens(documents, tokenizer, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tokenizer, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        build_tokens(DOCUMENTS, tokenizer, tmp_path / "file" / "cache")


def test_an_iterator_is_refused_because_it_cannot_be_read_again(tokenizer, tmp_path):
    with pytest.raises(TypeError, match="list"):
        build_tokens(iter(DOCUMENTS), tokenizer, tmp_path)


@pytest.mark.parametrize("seed", range(20))
def test_a_split_is_by_document_and_about_the_fraction_asked_for(seed):
    sizes = np.random.default_rng(seed).integers(1, 60, 200)
    corpus = made(sizes)
    train, held = corpus.split(0.05, seed)
    assert sorted([*train.documents, *held.documents]) == corpus.documents.tolist()
    assert train.n_tokens + held.n_tokens == corpus.n_tokens
    assert held.n_tokens / corpus.n_tokens == pytest.approx(0.05, abs=0.006)
    assert (np.diff(held.documents) > 0).all()


def test_the_seed_decides_the_split():
    corpus = made([3] * 100)
    splits = [corpus.split(0.1, seed)[1].documents.tolist() for seed in (0, 0, 1)]
    assert splits[0] == splits[1] != splits[2]


@pytest.mark.parametrize("sizes", [[10, 10], [1, 1000], [5, 5, 5], [1000, 1, 1, 1], [1] * 10])
@pytest.mark.parametrize("min_heldout", [1, 2, 50])
def test_both_sides_have_documents(sizes, min_heldout):
    train, held = made(sizes).split(0.05, 0, min_heldout)
    assert len(held.documents) >= min(min_heldout, len(sizes) - 1)
    assert len(train.documents) >= 1


def test_a_huge_document_stays_in_training():
    for seed in range(20):
        train, _ = made([1000, *[2] * 200]).split(0.05, seed)
        assert 0 in train.documents


@pytest.mark.parametrize(("sentences", "held_sentences"), [(100, 5), (2, 1), (10, 1)])
def test_a_single_document_is_split_by_sentence(sentences, held_sentences):
    corpus = made([sentences])
    train, held = corpus.split(0.05, 0)
    assert list(train.sentences(0)) == list(range(sentences - held_sentences))
    assert list(held.sentences(0)) == list(range(sentences - held_sentences, sentences))
    assert train.n_tokens + held.n_tokens == corpus.n_tokens
    assert (train.token_counts(100) + held.token_counts(100) == corpus.token_counts(100)).all()


def test_splits_that_cannot_be():
    with pytest.raises(DataError, match="single sentence"):
        made([1]).split(0.05, 0)
    for heldout in (-0.1, 1.0, float("nan")):
        with pytest.raises(ConfigError, match="held-out fraction"):
            made([5, 5]).split(heldout, 0)
    train, held = made([5, 5]).split(0, 0)
    assert (train.n_tokens, held.n_tokens) == (50, 0)


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_token_counts_are_those_of_the_view(monkeypatch, piece):
    monkeypatch.setattr(token_corpus, "COUNT_TOKENS", piece)
    corpus = made(np.random.default_rng(0).integers(1, 9, 50))
    for view in (corpus, *corpus.split(0.3, 0)):
        ids = [id for d in view.documents for i in view.sentences(d) for id in corpus.sentence(i)]
        np.testing.assert_array_equal(view.token_counts(120), np.bincount(ids, minlength=120))
    assert corpus.split(0, 0)[1].token_counts(10).tolist() == [0] * 10


def test_ids_outside_the_vocabulary_are_refused():
    with pytest.raises(DataError, match="outside the vocabulary of 50"):
        made([100]).token_counts(50)


def test_meta_says_what_the_arrays_are(corpus, tmp_path):
    (folder,) = tmp_path.iterdir()
    meta = json.loads((folder / "meta.json").read_text())
    assert meta["tokens"] == {"dtype": "uint16", "size": corpus.n_tokens}
