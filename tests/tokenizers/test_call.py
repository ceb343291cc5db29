"""What a call returns: frames, padding, truncation, arrays; and what it refuses, in one line."""

import numpy as np
import pytest

import minibert
from minibert.errors import ConfigError, DataError, MinibertError


def test_frames(trained):
    bert, roberta, gpt2 = trained("bert-uncased"), trained("roberta"), trained("gpt2")
    assert bert.tokenize("the", "of", add_special_tokens=True) == ["[CLS]", "the", "[SEP]", "of", "[SEP]"]
    assert bert("the", "of").token_type_ids == [0, 0, 0, 1, 1]
    pair = ["<s>", "the", "</s>", "</s>", "the", "</s>"]
    assert roberta.tokenize("the", "the", add_special_tokens=True) == pair
    assert set(roberta("the", "the")) == {"input_ids", "attention_mask"}
    assert roberta("the", "the", return_token_type_ids=True).token_type_ids == [0] * 6
    assert gpt2.tokenize("the", "the", add_special_tokens=True) == ["the", "the"]


def test_one_text_a_batch_and_pairs_are_told_apart(bert):
    one, batch = bert("the statement"), bert(["the statement", "of"])
    assert one["input_ids"] == batch["input_ids"][0] == bert.encode("the statement")
    assert bert([("a", "b"), ["c", "d"]])["input_ids"] == bert(["a", "c"], ["b", "d"])["input_ids"]
    assert bert([("a", "b")])["input_ids"] == [bert("a", "b")["input_ids"]]
    assert bert([])["input_ids"] == []


def test_arrays(bert):
    encoding = bert(["the statement of", "a"], padding=True, return_tensors="np", return_offsets_mapping=True)
    assert encoding.input_ids.shape == encoding.attention_mask.shape == (2, 5)
    assert encoding.offset_mapping.shape == (2, 5, 2)
    assert encoding.input_ids.dtype == np.int64
    assert encoding["attention_mask"].tolist() == [[1] * 5, [1, 1, 1, 0, 0]]
    assert bert("the", return_tensors="np").input_ids.shape == (1, 3)
    assert bert([], return_tensors="np").input_ids.shape[0] == 0
    with pytest.raises(ConfigError, match="padding=True"):
        bert(["the statement of", "a"], return_tensors="np")
    for framework in ("pt", "tf", "jax"):
        with pytest.raises(ConfigError, match="use 'np'"):
            bert("the", return_tensors=framework)


def test_an_encoding_goes_into_a_model(bert):
    config = minibert.BertConfig.named("bert-tiny", vocab_size=len(bert), num_hidden_layers=1)
    encoding = bert(["the statement", "a"], padding=True, return_tensors="np")
    assert minibert.BertModel(config, seed=0)(**encoding).last_hidden_state.shape[:2] == encoding.input_ids.shape
    with pytest.raises(AttributeError, match="no labels"):
        _ = encoding.labels


def test_padding_on_either_side(bert):
    right = bert(["the", "a b c"], padding=True)["input_ids"]
    left = bert(["the", "a b c"], padding="longest", padding_side="left")["input_ids"]
    assert right[0] == [*bert.encode("the"), 0, 0]
    assert left[0] == [0, 0, *bert.encode("the")]
    assert len(bert("the", padding="max_length", max_length=9)["input_ids"]) == 9
    assert len(bert("the", padding=True, pad_to_multiple_of=8)["input_ids"]) == 8


def test_gpt2_pads_only_with_a_token_of_its_own(trained):
    gpt2 = minibert.GPT2Tokenizer(trained("gpt2").backend_tokenizer)
    with pytest.raises(ConfigError, match=r"tokenizer\.pad_token = tokenizer\.eos_token"):
        gpt2(["a", "the statement"], padding=True)
    gpt2.pad_token = gpt2.eos_token
    ids = gpt2(["a", "the statement"], padding=True, padding_side="left")
    assert ids.attention_mask[0][0] == 0
    assert ids.input_ids[0][0] == gpt2.pad_token_id == gpt2.eos_token_id
    with pytest.raises(DataError, match="not in the vocabulary"):
        gpt2.pad_token = "[PAD]"
    with pytest.raises(DataError, match="no such id"):
        gpt2.pad_token_id = 10**6


def test_truncation(bert):
    text = "the statement of the class in a module"
    assert bert(text, truncation=True, max_length=5)["input_ids"] == [*bert.encode(text)[:4], bert.sep_token_id]
    assert len(bert(text, max_length=5)["input_ids"]) == 5
    assert len(bert(text, truncation=True)["input_ids"]) == len(bert.encode(text))  # no limit is known
    limited = minibert.BertTokenizer(bert.backend_tokenizer, model_max_length=6)
    assert len(limited(text, truncation=True)["input_ids"]) == 6
    pair = bert(text, "a module", truncation="only_first", max_length=8)
    assert pair.sequence_ids().count(1) == len(bert.tokenize("a module"))


def test_overflow_loses_no_token(bert):
    text = "the statement of the class in a module"
    whole = bert.encode(text, add_special_tokens=False)
    rows = bert([text, "a"], truncation=True, max_length=6, stride=1, return_overflowing_tokens=True)
    parts = [
        row[1:-1] for row, owner in zip(rows.input_ids, rows.overflow_to_sample_mapping, strict=True) if owner == 0
    ]
    assert parts[0] + [id for part in parts[1:] for id in part[1:]] == whole
    assert rows.overflow_to_sample_mapping[-1] == 1


def test_a_call_leaves_the_library_as_it_was(bert):
    before = bert.backend_tokenizer.to_str()
    bert("the statement", padding="max_length", truncation=True, max_length=4)
    with pytest.raises(MinibertError):
        bert("the statement", truncation="only_second", max_length=3)
    assert bert.backend_tokenizer.to_str() == before


def test_offsets_are_those_of_the_text(tokenizer):
    text = "The naïve  Statement, of 3.14"
    encoding = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    for (begin, end), token in zip(encoding.offset_mapping, encoding.tokens(), strict=True):
        if token.isascii() and text[begin:end].isascii():
            assert text[begin:end].strip().lower() == token.removeprefix("##").strip().lower()


@pytest.mark.parametrize("name", ["gpt2", "roberta", "char", "char-masked"], indirect=True)
def test_decoding_gives_the_text_back(tokenizer, documents):
    for text in (documents[0][:2000], " a  b\n\n  c ", "don't stop .", "[MA] , 1 ."):
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=True) == text
    assert tokenizer.batch_decode(np.array([ids, ids]), skip_special_tokens=True) == [text, text]


def test_bytes_know_every_text_and_characters_only_theirs(trained):
    text = "\x00é猫😀\u200b"
    assert trained("gpt2").decode(trained("gpt2").encode(text)) == text
    char = trained("char")
    assert char.tokenize("a猫b") == ["a", "猫", "b"] if "猫" in char.get_vocab() else ["a", "<unk>", "b"]
    assert char.decode(char.encode("a猫b")) == "a<unk>b"
    assert char.decode(char.encode("a猫b"), skip_special_tokens=True) == "ab"


def test_conversions(tokenizer):
    vocab = tokenizer.get_vocab()
    assert len(tokenizer) == len(vocab)
    tokens = sorted(vocab, key=vocab.get)
    assert tokenizer.convert_ids_to_tokens(range(len(tokenizer))) == tokens
    assert tokenizer.convert_tokens_to_ids(tokens) == sorted(vocab.values())
    assert tokenizer.convert_tokens_to_ids("no such token") == tokenizer.unk_token_id
    assert tokenizer.all_special_ids == [vocab[token] for token in tokenizer.all_special_tokens]
    assert set(tokenizer.all_special_ids).isdisjoint(tokenizer.encode("the statement", add_special_tokens=False))
    assert tokenizer.decode(tokenizer.all_special_ids, skip_special_tokens=True).strip() == ""
    assert tokenizer.decode([]) == ""
    assert tokenizer.batch_decode([]) == []


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((5,), {}, "of type int, not str"),
        ((None,), {}, "of type NoneType, not str"),
        ((b"the",), {}, "of type bytes, not str"),
        ((["a", 5],), {}, "text 1 is of type int"),
        (([["a", "b", "c"]],), {}, "text 0 is of type list"),
        ((["a"], ["b", "c"]), {}, "must be a list of 1"),
        ((["a"], "b"), {}, "must be a list of 1"),
        (("a", 5), {}, "of type int"),
        (("a \ud800",), {}, "lone surrogate, half a character, at 2"),
        (("a",), {"is_split_into_words": True}, "no list of words"),
        (("a",), {"padding": "longst"}, "padding is 'longst'; it must be one of"),
        (("a",), {"padding": 1}, "padding is 1"),
        (("a",), {"truncation": []}, r"truncation is \[\]"),
        (("a",), {"max_length": -1}, "max_length is -1"),
        (("a",), {"max_length": 1}, "at least 2, the number of special tokens"),
        (("a", "b"), {"max_length": 2}, "at least 3, the number of special tokens"),
        (("a",), {"max_length": 2.5}, "max_length is 2.5"),
        (("a",), {"max_length": 5, "stride": 3}, "stride is 3"),
        (("a",), {"padding": True, "pad_to_multiple_of": 0}, "pad_to_multiple_of is 0"),
        (("a",), {"padding": True, "padding_side": "top"}, "padding_side is 'top'"),
        (("the class",), {"truncation": "only_second", "max_length": 3}, "cannot be encoded so"),
        (("a",), {"max_len": 3}, "unknown argument 'max_len'"),
    ],
)
def test_refusals(bert, arguments, options, message):
    with pytest.raises(MinibertError, match=message) as caught:
        bert(*arguments, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ids", ["the", [[1], ["a"]], [-1], [2**40], [1.5], None])
def test_ids_that_are_none(bert, ids):
    with pytest.raises(DataError):
        bert.decode(ids)


@pytest.mark.parametrize("ids", ["the", [-1], -1, 2**40, [None], None])
def test_conversions_of_what_is_no_id(bert, ids):
    with pytest.raises(DataError, match="these are no ids"):
        bert.convert_ids_to_tokens(ids)


@pytest.mark.parametrize("tokens", [5, [5], None, "\ud800"])
def test_conversions_of_what_is_no_token(bert, tokens):
    with pytest.raises(DataError, match="these are no tokens"):
        bert.convert_tokens_to_ids(tokens)


def test_options_that_cannot_be(bert):
    for options, message in (
        ({"model_max_length": 0}, "model_max_length"),
        ({"padding_side": "up"}, "left"),
        ({"no_such_option": 1}, "no_such_option"),
    ):
        with pytest.raises(ConfigError, match=message):
            minibert.BertTokenizer(bert.backend_tokenizer, **options)
    for face in (minibert.GPT2Tokenizer, minibert.CharTokenizer, minibert.RobertaTokenizer):
        with pytest.raises(DataError, match="WordPiece tokenizer, but"):
            face(bert.backend_tokenizer)
