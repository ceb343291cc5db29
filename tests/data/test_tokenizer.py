"""A trained tokenizer is BERT's in every respect, the same each time, and opens wherever it should."""

import json
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from minibert.data import alphabet
from minibert.data.corpora import corpus_documents
from minibert.data.tokenizer import (
    SPECIAL_TOKENS,
    load_tokenizer,
    save_tokenizer,
    special_ids,
    train_wordpiece,
    vocabulary_size,
    word_starts,
)
from minibert.errors import ConfigError, DataError

TEXT = ["The cat sat on the mat, unbelievably café-like. " * 3, "Cats sit; the mats were sat on. 我喜欢猫。猫好。" * 3]


@pytest.fixture(scope="module")
def documents():
    return list(islice(corpus_documents("python-docs"), 20))


@pytest.fixture(scope="module")
def tokenizer(documents):
    return train_wordpiece(documents, 500)


def test_special_tokens_have_the_first_ids(tokenizer):
    assert special_ids(tokenizer) == (0, 1, 2, 3, 4)
    assert [tokenizer.id_to_token(id) for id in range(5)] == list(SPECIAL_TOKENS)


@pytest.mark.parametrize("vocab_size", [200, 501])
@pytest.mark.parametrize("lowercase", [True, False])
def test_exactly_the_size_asked_for(documents, vocab_size, lowercase):
    tokenizer = train_wordpiece(documents, vocab_size, lowercase)
    assert vocabulary_size(tokenizer) == tokenizer.get_vocab_size() == vocab_size


def test_no_piece_of_the_training_text_is_unknown(documents, tokenizer):
    assert tokenizer.token_to_id("[UNK]") not in tokenizer.encode(" ".join(documents)).ids


def test_pairs_are_framed_as_in_bert(tokenizer):
    encoding = tokenizer.encode("the statement", "is used")
    assert encoding.tokens == ["[CLS]", "the", "statement", "[SEP]", "is", "used", "[SEP]"]
    assert encoding.type_ids == [0, 0, 0, 0, 1, 1, 1]


def test_uncased_removes_capitals_and_accents_and_cased_keeps_them():
    uncased, cased = train_wordpiece(TEXT, 80), train_wordpiece(TEXT, 80, lowercase=False)
    assert uncased.decode(uncased.encode("THE CAFÉ").ids) == "the cafe"
    assert cased.decode(cased.encode("The café").ids) == "The café"


def test_chinese_characters_stand_apart():
    tokenizer = train_wordpiece(TEXT, 80)
    assert tokenizer.encode("我喜欢猫", add_special_tokens=False).tokens == ["我", "喜", "欢", "猫"]
    assert not any(token.startswith("##") and "\u4e00" <= token[2] for token in tokenizer.get_vocab())


def test_more_chinese_characters_than_vocabulary():
    text = ["".join(chr(0x4E00 + i) * (1 + (i < 50)) for i in range(3000)) + " an English text of some words"] * 2
    tokenizer = train_wordpiece(text, 120)
    assert vocabulary_size(tokenizer) == tokenizer.get_vocab_size() == 120
    assert tokenizer.token_to_id(chr(0x4E00 + 20)) is not None  # the frequent ones are kept


def test_the_same_text_gives_the_same_vocabulary_in_every_process(documents, tokenizer):
    program = (
        "import sys, json; from itertools import islice; from minibert.data.corpora import corpus_documents;"
        "from minibert.data.tokenizer import train_wordpiece;"
        "documents = list(islice(corpus_documents('python-docs'), 20));"
        "print(json.dumps(train_wordpiece(documents, 500).get_vocab()))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    out = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True, text=True)
    assert json.loads(out.stdout) == tokenizer.get_vocab()
    assert train_wordpiece(documents, 500).get_vocab() == tokenizer.get_vocab()


def test_too_large_a_vocabulary_says_how_many_are_possible():
    with pytest.raises(DataError, match=r"vocabulary of 5000 .* can give only (\d+)") as caught:
        train_wordpiece(TEXT, 5000)
    possible = int(str(caught.value).split("give only ")[1].split(":")[0])
    assert train_wordpiece(TEXT, possible).get_vocab_size() == possible


def test_too_small_a_vocabulary():
    with pytest.raises(ConfigError, match="at least 7"):
        train_wordpiece(TEXT, 6)


def test_an_iterator_is_refused_because_it_cannot_be_read_again():
    with pytest.raises(TypeError, match="list"):
        train_wordpiece(iter(TEXT), 60)


def test_a_large_text_is_sampled_evenly(monkeypatch):
    monkeypatch.setattr(alphabet, "SAMPLE_CHARACTERS", 10_000)
    monkeypatch.setattr(alphabet, "PIECE_CHARACTERS", 200)
    documents = [f"{i:05d}" * 20 for i in range(1000)]  # 100 characters each
    taken = [int(text[:5]) for text in alphabet.sample(documents, 100_000)]
    assert 95 <= len(taken) <= 100
    assert np.ptp(np.diff(taken)) <= 1
    assert 95 <= len("".join(alphabet.sample(["x " * 5_000_000], 10_000_000))) / 100 <= 100


def test_an_endless_word_does_not_take_forever():
    letters = "".join(np.random.default_rng(0).choice(list("acgt"), 300_000))
    tokenizer = train_wordpiece([letters, *TEXT], 80)
    assert tokenizer.encode("the cat", add_special_tokens=False).tokens[0] == "the"


@pytest.mark.parametrize("name", ["", "tokenizer.json", "vocab.txt"])
@pytest.mark.parametrize("lowercase", [True, False])
def test_saved_and_opened_again(tmp_path, name, lowercase):
    tokenizer = train_wordpiece(TEXT, 80, lowercase)
    save_tokenizer(tokenizer, tmp_path)
    opened = load_tokenizer(tmp_path / name)
    for text in ("The CAT café", "unbelievably [MASK] 猫 xyz\n", "a" * 200):
        assert opened.encode(text, "The mat").ids == tokenizer.encode(text, "The mat").ids


@pytest.mark.parametrize("token", ["Cat", "cat"])
def test_a_vocab_file_alone_is_cased_if_it_has_capitals(tmp_path, token):
    (tmp_path / "vocab.txt").write_text("\r\n".join([*SPECIAL_TOKENS, token, "##s"]), newline="")
    assert load_tokenizer(tmp_path).encode("Cats", add_special_tokens=False).tokens == [token, "##s"]


def test_truncation_and_padding_of_a_file_are_switched_off(tmp_path):
    tokenizer = train_wordpiece(TEXT, 80)
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=50)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert len(load_tokenizer(tmp_path).encode("the cat sat on the mat").ids) == 8


def test_word_starts(tokenizer):
    starts = word_starts(tokenizer)
    assert starts.shape == (500,)
    assert starts.dtype == bool
    for token, id in tokenizer.get_vocab().items():
        assert starts[id] == (not token.startswith("##"))
    encoding = tokenizer.encode("unparenthesised statements", add_special_tokens=False)
    assert starts[encoding.ids].sum() == 2


def refusal(path):
    with pytest.raises(DataError) as caught:
        load_tokenizer(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_tokenizers_that_cannot_be_opened(tmp_path):
    file = tmp_path / "tokenizer.json"
    assert "no such tokenizer" in refusal(file)
    assert "neither tokenizer.json nor vocab.txt" in refusal(tmp_path)
    file.write_text("{}")
    assert "not a tokenizer file" in refusal(file)
    Tokenizer(models.BPE()).save(str(file))
    assert "BPE" in refusal(file)
    Tokenizer(models.WordPiece({"[UNK]": 0})).save(str(file))
    assert "lacks [PAD] [CLS] [SEP] [MASK]" in refusal(file)


def test_vocab_files_that_cannot_be_opened(tmp_path):
    file = tmp_path / "vocab.txt"
    file.write_text("the\ncat\n")
    assert "lacks [PAD]" in refusal(file)
    file.write_text("\n".join([*SPECIAL_TOKENS, "cat", "the", "cat"]))
    assert "line 8" in refusal(file)
    file.write_bytes(b"[PAD]\n\xff\n")
    assert "byte offset 6" in refusal(file)
    file.write_text("\n".join([*SPECIAL_TOKENS, "cat"]))
    (tmp_path / "tokenizer_config.json").write_text("[")
    with pytest.raises(DataError, match=r"tokenizer_config\.json"):
        load_tokenizer(file)


def test_a_tokenizer_without_bert_normaliser_can_be_saved(tmp_path):
    tokenizer = Tokenizer(models.WordPiece({token: id for id, token in enumerate([*SPECIAL_TOKENS, "Cat"])}))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    save_tokenizer(tokenizer, tmp_path)
    assert load_tokenizer(tmp_path).encode("Cat").ids == [5]
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase()])
    save_tokenizer(tokenizer, tmp_path)
    assert json.loads(Path(tmp_path, "tokenizer_config.json").read_text())["do_lower_case"] is True


@pytest.mark.oracle
@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("with_json", [True, False])
@pytest.mark.filterwarnings("default")
def test_hugging_face_opens_the_folder_and_gives_the_same_ids(tmp_path, documents, lowercase, with_json):
    transformers = pytest.importorskip("transformers")
    tokenizer = train_wordpiece(documents, 500, lowercase)
    save_tokenizer(tokenizer, tmp_path, model_max_length=64)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    if not with_json:
        (tmp_path / "tokenizer.json").unlink()
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert theirs.model_max_length == 64
    assert theirs.mask_token_id == special_ids(tokenizer).mask
    for text in ("The [MASK] statement is USED to naïvely declare.", "raise ValueError('Äh') 猫", documents[3][:300]):
        ours = tokenizer.encode(text, "a second text")
        encoded = theirs(text, "a second text")
        assert encoded["input_ids"] == ours.ids
        assert encoded["token_type_ids"] == ours.type_ids
