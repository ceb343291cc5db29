"""The page of a training step, in a browser without a network: its numbers are NumPy's."""

import inspect
import json
import re

import numpy as np
import pytest
from browsing import click, elements, no_complaints, opened, texts
from view_cases import bert_and_batch, larger_bert, pair_steps, steps, task_steps

import minibert
from minibert import ops
from minibert.errors import DataError, MissingExtraError
from minibert.view import StepThrough
from minibert.view.explain import explain
from minibert.view.explanation import EXPLAIN


def go(browser, i):
    browser.execute_script(
        "const s = document.querySelector('input[type=range]'); s.value = arguments[0];"
        "s.dispatchEvent(new Event('input'));", i,
    )  # fmt: skip


def parsed(heading):
    """ "y[0, 1] = 2.5" -> "y", (0, 1), 2.5"""
    name, index, value = re.fullmatch(r"(.+)\[(.*)\] = (.+)", heading).groups()
    return name, tuple(int(i) for i in index.split(",") if i), number(value)


def number(text):
    return float(text.replace("∞", "inf"))


def arrays_of(record):
    explained = explain(record)
    return record.outputs | ({n: v for n, (v, _) in explained.inside.items()} if explained else {})


WALK = """
const found = [], all = (css) => [...document.querySelectorAll(css)];
const slider = document.querySelector("input[type=range]");
for (let i = arguments[0]; i <= Number(slider.max) && i < arguments[0] + 10; i++) {
  slider.value = i;
  slider.dispatchEvent(new Event("input"));
  const step = { title: all("h2")[0].textContent, where: all(".where")[0].textContent, cells: [] };
  for (const canvas of all(".can-pick canvas")) {
    for (const share of [0.3, 0.98]) {
      const { left, top, width, height } = canvas.getBoundingClientRect();
      const [clientX, clientY] = [left + share * width, top + share * height];
      canvas.dispatchEvent(new MouseEvent("click", { clientX, clientY, bubbles: true }));
      step.cells.push({ heading: all(".answer h3")[0].textContent,
        totals: all("tr.total").map((row) => Number(row.dataset.value)),
        terms: all("tr[data-value]").map((row) => row.dataset.value) });
    }
  }
  found.push(step);
}
return found;
"""


def walk(browser, view, tolerance):
    """Go through every op, click two cells of every array that can be clicked, and compare with NumPy."""
    clicked = set()
    found = [step for i in range(0, len(view.trace), 10) for step in browser.execute_script(WALK, i)]
    for i, (step, record) in enumerate(zip(found, view.trace, strict=True)):
        assert step["title"] == record.name + record.place
        assert step["where"] == f"{i + 1} / {len(view.trace)} {'backward' if record.is_backward else 'forward'}"
        arrays = arrays_of(record)
        for cell in step["cells"]:
            name, index, shown = parsed(cell["heading"])
            where = (record.name, record.place, name, index)
            scale = float(np.abs(np.nan_to_num(arrays[name], neginf=0)).max())
            assert shown == pytest.approx(float(arrays[name][index]), rel=1e-4, abs=1e-30), where
            for total in cell["totals"]:
                assert total == pytest.approx(float(arrays[name][index]), rel=1e-4, abs=tolerance * scale), where
            assert not {"NaN", "undefined"} & set(cell["terms"]), where
            clicked.add((record.name, name))
    assert {r.name for r in view.trace if explain(r) or not r.parts} == {op for op, _ in clicked}
    no_complaints(browser)


@pytest.mark.parametrize("name", ["bert", "gpt2", "lora"])
def test_a_walk_through_a_whole_step(browser, tmp_path, name):
    """At every op each number that is clicked, and the sum of what made it, are NumPy's."""
    view = steps(name)
    opened(browser, view, tmp_path)
    walk(browser, view, 1e-5)


@pytest.mark.parametrize("task", ["smoothed", "several labels", "numbers"])
def test_a_walk_through_a_step_of_fine_tuning(browser, tmp_path, task):
    view = task_steps(f"GPT2, SequenceClassification, {task}")
    opened(browser, view, tmp_path)
    walk(browser, view, 1e-5)


def test_a_walk_through_a_step_with_two_texts_for_an_answer(browser, tmp_path):
    """Their ids have three axes; tokens are named all the same."""
    view = pair_steps(scored=True)
    opened(browser, view, tmp_path)
    walk(browser, view, 1e-5)
    ids = view._batch["input_ids"]
    assert view.data()[0]["tokens"] == [
        view._tokenizer.convert_ids_to_tokens(row.tolist()) for pair in ids for row in pair
    ]
    assert len(task_steps("Bert, MultipleChoice, one label").data()[0]["tokens"]) == 12


def test_the_terms_of_a_dot_product(browser, tmp_path):
    view = steps("bert")
    opened(browser, view, tmp_path)
    i = next(i for i, r in enumerate(view.trace) if r.name == "linear")
    go(browser, i)
    record = view.trace.records[i]
    (canvas,) = elements(browser, ".can-pick canvas")
    click(browser, canvas)
    _, (b, t, o), _ = parsed(texts(browser, ".answer h3")[0])
    rows = browser.execute_script(
        "return [...document.querySelectorAll('.terms tr')].map((row) => [...row.cells].map((c) => c.textContent))"
    )
    shown = {int(row[0][4:]): [number(cell) for cell in row[1:4]] for row in rows if row[0].startswith("i = ")}
    x, weight = record.inputs["x"][b, t], record.inputs["weight"][:, o]
    assert sorted(shown) == list(range(6))
    for k, (x_k, w_k, term) in shown.items():
        assert [x_k, w_k, term] == pytest.approx([x[k], weight[k], x[k] * weight[k]], rel=1e-4)


def test_a_softmax_row_adds_up_to_one(browser, tmp_path):
    view = steps("bert")
    opened(browser, view, tmp_path)
    i = next(i for i, r in enumerate(view.trace) if r.name == "attention")
    go(browser, i)
    labels = [e.get_attribute("aria-label") for e in elements(browser, ".can-pick canvas")]
    click(browser, elements(browser, ".can-pick canvas")[labels.index("P, shape 2 by 3 by 5 by 5")])
    _, index, _ = parsed(texts(browser, ".answer h3")[0])
    row = [float(v) for v in browser.execute_script(
        "return [...document.querySelectorAll('.terms tr[data-value]:not(.total)')].map((r) => r.dataset.value)"
    )]  # fmt: skip
    assert row == pytest.approx(view.trace.records[i].cache.probs[index[:-1]].tolist(), rel=1e-5)
    assert sum(row) == pytest.approx(1)


def test_text_flows_and_formulas_keep_their_lines(browser, tmp_path):
    view = steps("bert")
    opened(browser, view, tmp_path, width=390)
    go(browser, next(i for i, r in enumerate(view.trace) if r.name == "attention_backward"))
    parts = texts(browser, ".formula")[0].split("\n\n")
    assert "    dv = D^T dout,   dD = dout v^T,   dP = m * dD" in parts
    assert all("\n" not in part for part in parts if not part.startswith(" "))
    assert "\n\n".join(parts).split() == inspect.getdoc(ops.attention_backward).split()
    whole = browser.execute_script(  # the formulas of a line that fit the page: each on one line, none cut in two
        "return [...document.querySelectorAll('.formula .line > span')].filter((e) => e.textContent.length < 36)"
        ".map((e) => [e.textContent, e.getClientRects().length, e.offsetHeight])"
    )
    assert ["D = m * P,", 1, 19] in whole
    assert {(lines, height) for _, lines, height in whole} == {(1, 19)}


@pytest.mark.parametrize("width", [390, 1280])
def test_the_answer_is_in_sight_wherever_one_clicks(browser, tmp_path, width):
    """Of an op with many arrays the page is long; what made a number is told where one looks."""
    view = steps("bert")
    opened(browser, view, tmp_path, width)
    go(browser, next(i for i, r in enumerate(view.trace) if r.name == "attention_backward"))
    assert browser.execute_script("return document.documentElement.scrollHeight > 1.5 * innerHeight")
    for canvas in elements(browser, ".can-pick canvas"):
        click(browser, canvas)
        top, bottom, height = browser.execute_script(
            "const box = document.querySelector('.answer').getBoundingClientRect();"
            "return [box.top, box.bottom, innerHeight]"
        )
        assert 0 <= top < bottom <= height
        (heading,) = texts(browser, ".answer h3")
        assert heading.startswith(canvas.get_attribute("aria-label").partition(",")[0] + "[")


def test_an_op_without_an_explanation_names_its_source(browser, tmp_path, monkeypatch):
    monkeypatch.delitem(EXPLAIN, "mean_squared_error_backward")
    config = minibert.BertConfig(
        vocab_size=11, hidden_size=6, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, num_labels=1
    )  # one label: a number, whose loss is the squared error
    batch = {"input_ids": np.array([[2, 7, 4], [2, 5, 3]]), "labels": np.array([0.25, 2.0])}
    view = StepThrough(minibert.BertForSequenceClassification(config, dtype="float64"), batch)
    opened(browser, view, tmp_path)
    i = next(i for i, r in enumerate(view.trace) if r.name == "mean_squared_error_backward")
    go(browser, i)
    assert elements(browser, ".can-pick canvas") == []
    assert "minibert/ops/mean_squared_error.py, line " in texts(browser, ".answer")[0]
    click(browser, elements(browser, ".map canvas")[-1])
    _, index, shown = parsed(texts(browser, ".answer h3")[0])
    assert shown == pytest.approx(view.trace.records[i].output[index], rel=1e-4)
    assert "minibert/ops/mean_squared_error.py, line " in texts(browser, ".answer p")[0]
    go(browser, next(i for i, r in enumerate(view.trace) if r.name == "feed_forward"))
    click(browser, elements(browser, ".map canvas")[-1])
    assert texts(browser, ".answer p") == ["Step on to its parts to see what made each number."]
    no_complaints(browser)


def test_hover_keys_and_the_diagram(browser, tmp_path):
    from selenium.webdriver import ActionChains, Keys

    view = steps("bert")
    opened(browser, view, tmp_path)
    assert texts(browser, "[aria-current]") == ["token"]
    body = browser.find_element("css selector", ".controls button")
    body.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert texts(browser, "h2") == ["layer_normembeddings.norm"]
    canvas = elements(browser, ".can-pick canvas")[-1]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    ActionChains(browser).move_to_element(canvas).perform()
    name, index, value = parsed(browser.find_element("css selector", ".tip").text.partition("  ")[0].split(" token")[0])
    assert name == "y"
    assert value == pytest.approx(view.trace.records[3].output[index], rel=1e-4)
    browser.execute_script("arguments[0].focus()", canvas)
    canvas.send_keys(Keys.ARROW_DOWN, Keys.ENTER)
    _, below, value = parsed(texts(browser, ".answer h3")[0])
    assert below == (index[0], index[1] + 1, index[2])
    assert value == pytest.approx(view.trace.records[3].output[below], rel=1e-4)
    click(browser, browser.find_element("css selector", "[title='encoder.layers.1.attention']"))
    assert texts(browser, "[aria-current]")[0] in ("attention", "qkv")
    assert "encoder.layers.1.attention" in texts(browser, "h2")[0]
    no_complaints(browser)


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window(browser, tmp_path, width):
    view = larger_bert()
    opened(browser, view, tmp_path, width)
    for i in (0, 5, 6, 12, 40, 60, len(view.trace) - 1):
        go(browser, i)
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth"), i
    no_complaints(browser)


def test_windows_hold_all_that_made_what_they_show(browser, tmp_path):
    """Of large arrays a part is shown, but every cell of it can be explained to the last term."""
    view = larger_bert(num_hidden_layers=1)
    opened(browser, view, tmp_path)
    walk(browser, view, 1e-5)


def test_a_page_of_bert_mini_is_small(tmp_path):
    page = tmp_path / "mini.html"
    larger_bert("bert-mini", T=64, V=30522).to_html(page)
    assert page.stat().st_size < 5e6
    assert not re.search(r"https?://", page.read_text().partition('id="numbers"')[0])


def test_the_step_is_the_models_own():
    model, batch = bert_and_batch()
    before = {n: p.copy() for n, p in model.to_hf().items()}
    view = StepThrough(model, batch, dropout_key=(0, 1))
    assert view.loss == model.loss_and_grads(**batch, dropout_key=(0, 1))[0]
    assert all(np.array_equal(p, before[n]) for n, p in model.to_hf().items())


def test_a_page_is_html(tmp_path):
    with pytest.raises(DataError, match=r"must be an \.html file"):
        steps("gpt2").to_html(tmp_path / "page.pdf")


def test_the_widget_carries_what_the_page_carries():
    pytest.importorskip("anywidget", reason="the widget needs the extra `lessons`")
    view = steps("gpt2")
    widget = view.widget()
    data, numbers = view.data()
    assert json.loads(widget.steps) == json.loads(json.dumps(data))
    assert widget.numbers == numbers
    assert "export default { render }" in widget._esm
    shown, _ = view._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert shown["text/plain"] == repr(view)


def test_without_anywidget_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "anywidget", None)
    with pytest.raises(MissingExtraError, match=r"minibert-numpy\[lessons\]"):
        steps("gpt2").widget()


def test_without_anywidget_a_notebook_shows_a_line_of_text(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "anywidget", None)
    view = steps("gpt2")
    shown, _ = view._repr_mimebundle_()
    (text,) = shown.values()
    assert text.startswith("GPT2LMHeadModel, one training step: ")
    assert "extra `lessons`" in text
    assert ".to_html(path)" in text


def test_a_tokenizer_names_the_tokens():
    from minibert.data.tokenizer_wordpiece import train_wordpiece

    tokenizer = train_wordpiece(["the cat sat on the mat"] * 2, 30, progress=False)  # of the library `tokenizers`
    model, batch = bert_and_batch()
    data, _ = StepThrough(model, batch, tokenizer).data()
    expected = [[tokenizer.id_to_token(int(i)) for i in row] for row in batch["input_ids"]]
    assert data["tokens"] == expected
