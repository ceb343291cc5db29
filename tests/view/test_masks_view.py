"""The page of the objectives, in a browser without a network: every draw is that of the objective."""

from itertools import islice, pairwise

import numpy as np
import pytest
from browsing import click, elements, no_complaints, opened, texts

from minibert.data.corpora import corpus_documents
from minibert.data.tokenizer import train_tokenizer, vocabulary_of
from minibert.errors import ConfigError, DataError
from minibert.objectives.masking import mask_tokens
from minibert.view import masks_view

DOCUMENTS = [
    "The interpreter imports a module. Then its functions can be called by everybody who is interested.",
    "A list is a sequence. It can be changed. Its items are numbered.",
    "A tuple cannot be changed. It is a sequence as well.",
]
DRAWS = 8
CARDS = """
return [...document.querySelectorAll(arguments[0] + " .tokens li")].map((card) => ({
  token: card.querySelector("b").textContent, fate: card.classList[card.classList.length - 1] ?? "",
  label: card.querySelector(".label")?.textContent ?? null, continues: card.classList.contains("continues") }));
"""
PARTS = "return Object.fromEntries([...document.querySelectorAll('mark')].map((m) => [m.className, m.lastChild.data]))"


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer("wordpiece", list(islice(corpus_documents("python-docs"), 20)), 300, lowercase=True)


def view(tokenizer, **options):
    return masks_view(DOCUMENTS, tokenizer, draws=DRAWS, seed=3, mask_rate=0.3, **options)


def another(browser):
    click(browser, elements(browser, "button.draw")[1])


def expected(tokenizer):
    """ids (T,), then masked ids and labels (DRAWS, T) of tokens and of whole words."""
    ids, rng = np.array(tokenizer(DOCUMENTS[0])["input_ids"]), np.random.default_rng(3)
    rows = np.tile(ids, (DRAWS, 1))
    return ids, [mask_tokens(rows, vocabulary_of(tokenizer), rng, 0.3, whole) for whole in (False, True)]


def fate(input_id, label, mask):
    return None if label == -100 else "hidden" if input_id == mask else "kept" if input_id == label else "random"


def test_every_draw_hides_what_the_objective_hides(browser, tmp_path, tokenizer):
    opened(browser, view(tokenizer), tmp_path)
    _, drawn = expected(tokenizer)
    for draw in range(DRAWS):
        assert texts(browser, ".where") == [f"draw {draw + 1} of {DRAWS}"]
        for section, (inputs, labels) in enumerate(drawn, 1):
            cards = browser.execute_script(CARDS, f"section:nth-child({section})")
            assert [card["token"] for card in cards] == tokenizer.convert_ids_to_tokens(inputs[draw].tolist())
            for card, input_id, label in zip(cards, inputs[draw], labels[draw], strict=True):
                what = fate(input_id, label, tokenizer.mask_token_id)
                assert card["label"] == (what and f"label {tokenizer.convert_ids_to_tokens(int(label))}")
                assert what is None or card["fate"] == what
        another(browser)
    assert texts(browser, ".where") == [f"draw 1 of {DRAWS}"]
    click(browser, elements(browser, "button.draw")[0])
    assert texts(browser, ".where") == [f"draw {DRAWS} of {DRAWS}"]
    no_complaints(browser)


def test_the_counts_add_up(browser, tmp_path, tokenizer):
    opened(browser, view(tokenizer), tmp_path)
    ids, drawn = expected(tokenizer)
    for line, (inputs, labels) in zip(texts(browser, ".counts"), drawn, strict=True):
        chosen, hidden = labels != -100, inputs == tokenizer.mask_token_id
        kept = chosen & (inputs == ids)
        n = chosen.sum(), hidden.sum(), (chosen & ~hidden & ~kept).sum(), kept.sum()
        assert line.endswith(f"In all {DRAWS} draws {n[0]} are chosen: {n[1]} hidden, {n[2]} random, {n[3]} kept.")
        assert n[0] > n[1] > 0


def test_words_are_chosen_whole(browser, tmp_path, tokenizer):
    opened(browser, view(tokenizer), tmp_path)
    pieces = 0
    for _ in range(DRAWS):
        cards = browser.execute_script(CARDS, "section:nth-child(2)")
        for first, second in pairwise(cards):
            if second["continues"]:
                assert (first["label"] is None) == (second["label"] is None)
                pieces += second["label"] is not None
        another(browser)
    assert pieces > 0


@pytest.mark.parametrize("width", [390, 1280])
def test_a_position_sees_itself_and_what_stands_before_it(browser, tmp_path, tokenizer, width):
    from selenium.webdriver import Keys

    opened(browser, view(tokenizer), tmp_path, width)
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert min(card.rect["x"] for card in elements(browser, ".tokens li")) >= 12  # none sticks out at the left
    tokens = tokenizer.tokenize(DOCUMENTS[0])
    assert texts(browser, ".causal button") == tokens
    for t in (0, 4, len(tokens) - 1):
        click(browser, elements(browser, ".causal button")[t])
        classes = [button.get_attribute("class") for button in elements(browser, ".causal button")]
        assert classes == (["seen"] * (t + 1) + ["next"] + ["unseen"] * len(tokens))[: len(tokens)]
        says = texts(browser, ".says")[0]
        assert says.startswith(f"Position {t} sees “{' '.join(tokens[: t + 1])}”, and ")
        assert says.endswith(
            f"its label is “{tokens[t + 1]}”." if t + 1 < len(tokens) else "no label: nothing follows."
        )
    browser.switch_to.active_element.send_keys(Keys.HOME, Keys.ARROW_RIGHT)
    assert texts(browser, ".says")[0].startswith(f"Position 1 sees “{' '.join(tokens[:2])}”")
    canvas = browser.find_element("css selector", ".map canvas")
    browser.execute_script("arguments[0].focus()", canvas)
    canvas.send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    assert texts(browser, ".tip") == [f"may see[2, 1] = True  {tokens[2]} → {tokens[1]}"]
    canvas.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert texts(browser, ".tip") == [f"may see[2, 3] = False  {tokens[2]} → {tokens[3]}"]
    canvas.send_keys(Keys.ENTER)
    assert texts(browser, ".says")[0].startswith("Position 2 sees")
    no_complaints(browser)


def test_pairs_say_truly_where_they_come_from(browser, tmp_path, tokenizer):
    opened(browser, view(tokenizer), tmp_path)
    whole = [" ".join(tokenizer.tokenize(document)).replace(" ##", "") for document in DOCUMENTS]
    labels = []
    for _ in range(DRAWS):
        cards = browser.execute_script(CARDS, "section:nth-child(4)")
        tokens = [card["token"] for card in cards]
        sep = tokens.index("[SEP]")
        assert [card["fate"] for card in cards] == ["first"] * (sep + 1) + ["second"] * (len(tokens) - sep - 1)
        parts = browser.execute_script(PARTS)
        assert parts["A"] == " ".join(tokens[1:sep]).replace(" ##", "")
        assert parts["B"] == " ".join(tokens[sep + 1 : -1]).replace(" ##", "")
        homes = {name: next(i for i, text in enumerate(whole) if parts[name] in text) for name in "AB"}
        random = "random" in texts(browser, ".says")[1]
        labels.append(random)
        assert random == (homes["A"] != homes["B"])
        assert random or f"{parts['A']} {parts['B']}" in whole[homes["A"]]
        another(browser)
    assert set(labels) == {True, False}
    no_complaints(browser)


def test_one_document_has_no_pairs(browser, tmp_path, tokenizer):
    opened(browser, masks_view(DOCUMENTS[0], tokenizer), tmp_path)
    assert "needs several documents" in texts(browser, "section:nth-child(4) p")[0]
    no_complaints(browser)


def test_a_tokenizer_without_a_mask_shows_the_causal_objective_alone(browser, tmp_path):
    words = train_tokenizer("bpe", DOCUMENTS * 3, 280, masked=False)
    opened(browser, masks_view(DOCUMENTS, words), tmp_path)
    assert texts(browser, "h2") == ["Next token"]
    assert elements(browser, "button.draw") == []
    assert texts(browser, ".causal button") == words.tokenize(DOCUMENTS[0])
    no_complaints(browser)


def test_white_space_can_be_seen(browser, tmp_path):
    words = train_tokenizer("char", DOCUMENTS, 100, masked=False)
    opened(browser, masks_view("It is.", words), tmp_path)
    assert texts(browser, ".causal button") == list("It␣is.")
    no_complaints(browser)


def test_texts_that_no_page_can_show(tokenizer):
    with pytest.raises(DataError, match=r"the text has .* tokens, of which a page shows 128: give a shorter one"):
        masks_view("a list " * 100, tokenizer)
    with pytest.raises(DataError, match="each text must have a token"):
        masks_view(["A list.", " "], tokenizer)
    with pytest.raises(ConfigError, match=r"draws must be at least 1 and mask_rate within 0\.\.1"):
        masks_view("A list.", tokenizer, draws=0)
