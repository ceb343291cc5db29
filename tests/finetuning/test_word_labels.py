"""The label of a word stands at its first piece, whatever the tokenizer makes of the word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibert.data.tokenizer import train_tokenizer
from minibert.errors import DataError
from minibert.finetuning.word_labels import align_labels, piece_labels, word_predictions
from minibert.tokenizers.auto import with_face

TEXT = "The import statement is used to import a module; modules are unimportant until they are imported. " * 20
WORDS = ["The", "unimportant", "statement", "used", "in", "modules"]


@pytest.fixture(scope="module", params=["wordpiece", "bpe"])
def tokenizer(request):
    options = {"lowercase": True} if request.param == "wordpiece" else {"masked": True}
    return with_face(train_tokenizer(request.param, [TEXT], 270 if request.param == "bpe" else 60, **options))


def test_continuations_and_special_tokens_are_no_targets():
    assert piece_labels([None, 0, 0, 1, 2, 2, 2, None, None], [5, 6, 7]) == [
        -100,
        5,
        -100,
        6,
        7,
        -100,
        -100,
        -100,
        -100,
    ]


def test_a_tokenizer_s_pieces(tokenizer):
    labels = [10, 11, 12, 13, 14, 15]
    encoding = tokenizer([WORDS], is_split_into_words=True)
    (row,) = align_labels(encoding, [labels])
    assert [label for label in row if label != -100] == labels
    assert len(row) == len(encoding["input_ids"][0]) > len(WORDS) + 2
    for i, label in enumerate(row):
        if label != -100:  # the piece is how its word begins
            begin, end = encoding.encodings[0].offsets[i]
            assert begin == 0
            assert end >= 1
    assert word_predictions(encoding.word_ids(0), row, len(WORDS)) == labels


def test_padding_and_truncation(tokenizer):
    batch, labels = [WORDS, ["is"], WORDS * 3], [[1, 2, 3, 4, 5, 6], [7], [1, 2, 3, 4, 5, 6] * 3]
    encoding = tokenizer(batch, is_split_into_words=True, padding=True, truncation=True, max_length=15)
    rows = align_labels(encoding, labels)
    assert {len(row) for row in rows} == {15}
    assert [label for label in rows[1] if label != -100] == [7]
    cut = word_predictions(encoding.word_ids(2), rows[2], 18)
    seen = max(word for word in encoding.word_ids(2) if word is not None) + 1
    assert cut == [1, 2, 3, 4, 5, 6, *[1, 2, 3, 4, 5, 6] * 2][:seen] + [-100] * (18 - seen)


def test_rows_that_overflow_keep_their_text_s_labels(tokenizer):
    encoding = tokenizer(
        [["is"], WORDS], is_split_into_words=True, truncation=True, max_length=9, return_overflowing_tokens=True
    )
    rows = align_labels(encoding, [[7], [1, 2, 3, 4, 5, 6]])
    assert len(rows) == len(encoding.encodings) > 2
    assert [label for label in rows[0] if label != -100] == [7]
    assert {label for row in rows[1:] for label in row} == {-100, 1, 2, 3, 4, 5, 6}


@given(st.lists(st.integers(0, 4), max_size=8).map(sorted), st.data())
def test_there_and_back(words, data):
    """Whatever words have pieces get their labels back; the others are -100."""
    labels = data.draw(st.lists(st.integers(0, 9), min_size=5, max_size=5))
    word_ids = [None, *words, None]
    back = word_predictions(word_ids, piece_labels(word_ids, labels), 5)
    assert back == [label if word in words else -100 for word, label in enumerate(labels)]


def test_missing_labels_are_counted():
    with pytest.raises(DataError, match="at least 4 words, but 2 labels"):
        piece_labels([None, 0, 3, None], [1, 2])


def test_a_text_without_labels_is_refused(tokenizer):
    encoding = tokenizer([WORDS, WORDS], is_split_into_words=True)
    with pytest.raises(DataError, match="more than 1 texts, but labels for 1"):
        align_labels(encoding, [[1] * 6])
