"""Tokens that arrive one by one give the text of all of them, in whole characters."""

import numpy as np
import pytest

from minibert.data.tokenizer_training import train_tokenizer
from minibert.pipelines.growing_text import GrowingText

TEXT = "Grüße aus 東京 🎉👩‍👩‍👧, naïve café — don't! \n\n  spaces   and\ttabs. "


def pieces(tokenizer, ids):
    growing = GrowingText(tokenizer.decode)
    return [*(growing.add(i) for i in ids), growing.rest()]


@pytest.fixture(scope="module", params=["bpe", "char", "wordpiece"])
def tokenizer(request):
    return train_tokenizer(request.param, [TEXT] * 3, 280 if request.param == "bpe" else 80, masked=False)


def test_the_pieces_joined_are_the_text(tokenizer):
    ids = tokenizer.encode(TEXT, add_special_tokens=False)
    found = pieces(tokenizer, ids)
    assert "".join(found) == tokenizer.decode(ids)
    assert "\ufffd" not in "".join(found)


def test_a_character_of_several_bytes_appears_when_its_last_byte_has_come():
    tokenizer = train_tokenizer("bpe", ["a b"] * 3, 257, masked=False)  # bytes alone
    assert pieces(tokenizer, tokenizer.encode("é🎉a")) == ["", "é", "", "", "", "🎉", "a", ""]


def test_bytes_that_are_no_text_are_shown_as_the_decoder_shows_them():
    """A new model writes such bytes; whatever comes, nothing is lost, and nothing waits for ever."""
    tokenizer = train_tokenizer("bpe", ["a b"] * 3, 257, masked=False)
    rng = np.random.default_rng(0)
    for _ in range(50):
        ids = rng.integers(1, 257, 30).tolist()
        growing = GrowingText(tokenizer.decode)
        shown = ""
        for i, id in enumerate(ids):
            shown += growing.add(id)
            assert len(tokenizer.decode(ids[: i + 1])) - len(shown) <= 1
        assert shown + growing.rest() == tokenizer.decode(ids)
