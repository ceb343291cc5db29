"""The page of the logit lens, in a browser without a network: its numbers are the model's."""

from itertools import islice

import numpy as np
import pytest
from browsing import click, elements, no_complaints, opened, texts

import minibert
from minibert.data.corpora import corpus_documents
from minibert.data.tokenizer import train_tokenizer
from minibert.errors import DataError
from minibert.view import logit_lens_view

TEXT = "The [MASK] statement imports a module."
WIDTHS = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=32, initializer_range=0.5)
DOCUMENTS = list(islice(corpus_documents("python-docs"), 20))


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer("wordpiece", DOCUMENTS, 500, lowercase=True)


@pytest.fixture(scope="module")
def model():
    return minibert.BertForPreTraining(minibert.BertConfig(vocab_size=500, **WIDTHS), seed=0)


@pytest.fixture(scope="module")
def causal():
    """A causal model and its tokenizer."""
    config = minibert.GPT2Config(vocab_size=500, n_positions=64, n_embd=24, n_layer=3, n_head=2, initializer_range=0.3)
    return minibert.GPT2LMHeadModel(config, seed=0), train_tokenizer("bpe", DOCUMENTS, 500, masked=False)


def probabilities(model, ids):
    """(T, V) of each layer, the head applied by hand: BERT's transform and decoder."""
    p, head = model.params, model.params["mlm_head"]
    for hidden in model([ids], output_hidden_states=True).hidden_states:
        z = hidden[0].astype(float) @ head["dense"]["weight"] + head["dense"]["bias"]
        a = minibert.ops.gelu(z)[0]
        a = (a - a.mean(-1, keepdims=True)) / np.sqrt(a.var(-1, keepdims=True) + model.config.layer_norm_eps)
        t = head["norm"]["gamma"] * a + head["norm"]["beta"]
        e = np.exp(t @ p["embeddings"]["token"].T + head["bias"])
        yield e / e.sum(-1, keepdims=True)


def numbers(browser, css):
    return [float(text) for text in texts(browser, css)]


def test_every_cell_shows_what_its_layer_would_say(browser, tmp_path, model, tokenizer):
    ids = tokenizer(TEXT)["input_ids"]
    probs = np.array(list(probabilities(model, ids)))  # (L + 1, T, V)
    opened(browser, logit_lens_view(model, TEXT, tokenizer), tmp_path)
    assert texts(browser, ".lens thead th span") == tokenizer.convert_ids_to_tokens(ids)
    assert texts(browser, ".lens tbody th") == ["embeddings", "layer 0", "layer 1"]
    best = probs.argmax(-1)
    assert texts(browser, ".lens button span") == tokenizer.convert_ids_to_tokens(best.ravel().tolist())
    shown = [float(text.removeprefix("✓ ")) for text in texts(browser, ".lens button small")]
    assert shown == pytest.approx(probs.max(-1).ravel().tolist(), abs=0.0051)
    for cell in range(0, best.size, 3):
        layer, t = divmod(cell, len(ids))
        click(browser, elements(browser, ".lens button")[cell])
        assert texts(browser, ".where") == [
            f"layer {layer - 1}, position {t}" if layer else f"embeddings, position {t}"
        ]
        p = probs[layer, t]
        assert numbers(browser, ".best .value") == pytest.approx(np.sort(p)[::-1][:10].tolist(), rel=1e-3)
        top = tokenizer.convert_ids_to_tokens(np.argsort(-p)[:10].tolist())
        assert texts(browser, ".best th") == top
        entropy = float(texts(browser, ".entropy")[0].split()[1])
        assert entropy == pytest.approx(-(p * np.log(p)).sum(), rel=1e-3)
        assert numbers(browser, ".rise .value") == pytest.approx(probs[:, t, best[-1, t]].tolist(), rel=1e-3)
    no_complaints(browser)


def test_it_begins_at_the_mask_and_is_steered_by_keys(browser, tmp_path, model, tokenizer):
    from selenium.webdriver import Keys

    opened(browser, logit_lens_view(model, TEXT, tokenizer), tmp_path, width=390)
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    place = tokenizer(TEXT)["input_ids"].index(tokenizer.mask_token_id)
    assert texts(browser, ".where") == [f"layer 1, position {place}"]
    (current,) = elements(browser, ".lens button[tabindex='0']")
    current.send_keys(Keys.ARROW_UP, Keys.ARROW_RIGHT)
    browser.switch_to.active_element.send_keys(Keys.ARROW_DOWN, Keys.ARROW_UP)
    assert texts(browser, ".where") == [f"layer 0, position {place + 1}"]
    assert browser.switch_to.active_element.get_attribute("aria-pressed") == "true"
    browser.switch_to.active_element.send_keys(Keys.HOME, Keys.ARROW_LEFT)
    assert texts(browser, ".where") == ["layer 0, position 0"]
    no_complaints(browser)


def test_a_causal_model_is_right_where_it_says_the_next_token(browser, tmp_path, causal):
    model, words = causal
    text = DOCUMENTS[0][:60]
    opened(browser, logit_lens_view(model, text, words), tmp_path)
    ids = np.array(words(text)["input_ids"])
    says = model([ids]).logits[0].argmax(-1)  # of the last layer
    marks = [text.startswith("✓") for text in texts(browser, ".lens tbody tr:last-child button small")]
    assert marks == [*(says[:-1] == ids[1:]), False]
    assert texts(browser, ".lens tbody tr:last-child button span") == words.convert_ids_to_tokens(says.tolist())
    no_complaints(browser)


def test_what_the_text_says_is_marked_but_at_the_mask_nothing(model, tokenizer):
    ids = tokenizer(TEXT)["input_ids"]
    data, _ = logit_lens_view(model, TEXT, tokenizer).data()
    assert data["targets"] == [-1 if i == tokenizer.mask_token_id else i for i in ids]


def test_texts_that_no_page_can_show(model, tokenizer, causal):
    with pytest.raises(DataError, match=r"2 layers of .* tokens are too much for a page: give a shorter text"):
        logit_lens_view(model, "module " * 2000, tokenizer)
    with pytest.raises(DataError, match="the text has no token"):
        logit_lens_view(causal[0], "", causal[1])
    with pytest.raises(DataError, match="no head over the vocabulary"):
        logit_lens_view(minibert.BertModel(model.config), TEXT, tokenizer)
