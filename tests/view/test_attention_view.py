"""The page of a model's attention, in a browser without a network: its numbers are the model's."""

from itertools import islice

import numpy as np
import pytest
from browsing import click, elements, no_complaints, opened, texts

import minibert
from minibert.data.corpora import corpus_documents
from minibert.data.tokenizer import train_tokenizer
from minibert.errors import DataError
from minibert.view import attention_view

PAIR = ("The import statement imports a module.", "It is a list.")


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer("wordpiece", list(islice(corpus_documents("python-docs"), 20)), 500, lowercase=True)


@pytest.fixture(scope="module")
def model():
    config = minibert.BertConfig(
        vocab_size=500, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=32,
        max_position_embeddings=128, initializer_range=0.3,
    )  # fmt: skip
    return minibert.BertModel(config, seed=0)


@pytest.fixture(scope="module")
def expected(model, tokenizer):
    """(L, H, T, T), tokens, sentence of each token"""
    encoding = tokenizer(*PAIR)
    out = model([encoding["input_ids"]], token_type_ids=[encoding["token_type_ids"]], output_attentions=True)
    tokens = tokenizer.convert_ids_to_tokens(encoding["input_ids"])
    return np.concatenate(out.attentions), tokens, np.array(encoding["token_type_ids"])


def shown_row(browser):
    """The numbers beside the tokens on the right."""
    return [text.split(" ")[0] for text in texts(browser, ".lines span")]


def test_every_row_of_every_head(browser, tmp_path, model, tokenizer, expected):
    probs, tokens, _ = expected
    opened(browser, attention_view(model, *PAIR[:1], tokenizer, PAIR[1]), tmp_path)
    assert texts(browser, ".lines button") == tokens
    for layer in range(2):
        for head in range(3):
            click(browser, elements(browser, ".heads button")[3 * layer + head])
            assert texts(browser, ".where") == [f"layer {layer}, head {head}"]
            least, most = texts(browser, ".legend span")
            assert (float(least), float(most)) == (0, pytest.approx(float(probs[layer, head].max()), rel=1e-4))
            query = (5 * layer + head) % len(tokens)
            elements(browser, ".lines button")[query].click()
            row = [float(value) for value in shown_row(browser)]
            assert row == pytest.approx(probs[layer, head, query].tolist(), abs=5.1e-4)
            lines = elements(browser, ".lines line")
            assert len(lines) == (probs[layer, head, query] >= 0.02).sum()
            elements(browser, ".lines button")[query].click()  # all again
            assert len(elements(browser, ".lines line")) == (probs[layer, head] >= 0.02).sum()
    no_complaints(browser)


def test_the_filter_leaves_what_goes_from_one_sentence_to_the_other(browser, tmp_path, model, tokenizer, expected):
    from selenium.webdriver.support.ui import Select

    probs, _, sentence = expected
    opened(browser, attention_view(model, PAIR[0], tokenizer, PAIR[1]), tmp_path)
    select = Select(browser.find_element("css selector", "header select"))
    for name, (a, b) in {"A → A": (0, 0), "A → B": (0, 1), "B → A": (1, 0), "B → B": (1, 1)}.items():
        select.select_by_visible_text(name)
        between = (sentence[:, None] == a) & (sentence[None] == b)
        assert len(elements(browser, ".lines line")) == ((probs[0, 0] >= 0.02) & between).sum()
    no_complaints(browser)


def test_the_matrix_and_the_keyboard(browser, tmp_path, model, tokenizer, expected):
    from selenium.webdriver import Keys

    probs, tokens, _ = expected
    opened(browser, attention_view(model, PAIR[0], tokenizer, PAIR[1]), tmp_path, width=390)
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    elements(browser, ".heads button")[0].send_keys(Keys.ARROW_DOWN)
    browser.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert texts(browser, ".where") == ["layer 1, head 1"]
    canvas = browser.find_element("css selector", ".map canvas")
    browser.execute_script("arguments[0].focus()", canvas)
    canvas.send_keys(Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    tip = texts(browser, ".tip")[0]
    assert tip.startswith("P[1, 1, 1, 1] = ")
    assert float(tip.split(" = ")[1].split(" ")[0]) == pytest.approx(float(probs[1, 1, 1, 1]), rel=1e-4)
    assert f"{tokens[1]} → {tokens[1]}" in tip
    canvas.send_keys(Keys.ENTER)  # the row of the token
    assert [float(value) for value in shown_row(browser)] == pytest.approx(probs[1, 1, 1].tolist(), abs=5.1e-4)
    no_complaints(browser)


def test_by_touch(browser, tmp_path, model, tokenizer, expected):
    """A finger chooses a head, a token, and a row of the matrix."""
    probs, tokens, _ = expected
    opened(browser, attention_view(model, PAIR[0], tokenizer, PAIR[1]), tmp_path, width=390)

    def tap(element, across=0.5, down=0.5):
        browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        box = browser.execute_script("return arguments[0].getBoundingClientRect().toJSON()", element)
        place = {"x": box["left"] + across * box["width"], "y": box["top"] + down * box["height"]}
        for kind, points in (("touchStart", [place]), ("touchEnd", [])):
            browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    try:
        tap(elements(browser, ".heads button")[4])
        assert texts(browser, ".where") == ["layer 1, head 1"]
        tap(elements(browser, ".lines button")[2])
        assert [float(value) for value in shown_row(browser)] == pytest.approx(probs[1, 1, 2].tolist(), abs=5.1e-4)
        tap(browser.find_element("css selector", ".map canvas"), down=5.5 / len(tokens))
        assert [float(value) for value in shown_row(browser)] == pytest.approx(probs[1, 1, 5].tolist(), abs=5.1e-4)
    finally:
        browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
    no_complaints(browser)


def test_one_sentence_and_a_causal_model(browser, tmp_path, tokenizer):
    model = minibert.GPT2LMHeadModel(
        minibert.GPT2Config(vocab_size=500, n_positions=64, n_embd=24, n_layer=2, n_head=2)
    )
    words = train_tokenizer("bpe", list(islice(corpus_documents("python-docs"), 20)), 500, masked=False)
    opened(browser, attention_view(model, PAIR[0], words), tmp_path)
    assert elements(browser, "header select") == []
    n = len(texts(browser, ".lines button"))
    assert n == len(words(PAIR[0])["input_ids"])
    elements(browser, ".lines button")[1].click()
    assert shown_row(browser)[2:] == ["0.000"] * (n - 2)  # nothing to the right is seen
    no_complaints(browser)


def test_a_text_that_is_too_long_for_a_page(tokenizer):
    config = minibert.BertConfig(
        vocab_size=500, hidden_size=128, num_hidden_layers=1, num_attention_heads=64, intermediate_size=8
    )
    with pytest.raises(DataError, match="give a shorter text"):
        attention_view(minibert.BertModel(config), "a " * 200, tokenizer)
