"""The page of a run, in a browser without a network: its numbers are those of the log and of the saved models."""

import json
import re
import shutil
from itertools import pairwise

import numpy as np
import pytest
from browsing import click, elements, no_complaints, opened, texts
from view_cases import trained

from minibert.errors import CheckpointError, DataError
from minibert.ops.attention import softmax
from minibert.pipelines.opening import open_both
from minibert.view import training_view
from minibert.view.training import thinned

TEXT = "the [MASK] saw a [MASK]"


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("bert"), "--vocab_size", "60")


def log_of(run):
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def values(browser, n):
    """{name: (step, value)} that the n-th chart of the page says."""
    charts = browser.find_elements("css selector", ".chart")
    spans = charts[n].find_elements("css selector", ".values > span")
    data = browser.execute_script("return arguments[0].map((s) => ({...s.dataset, text: s.textContent}))", spans)
    for d in data:
        read = re.fullmatch(r".*?(\S+)(?: \(step \d+\))?", d["text"])[1]  # by a person
        assert float(read) == pytest.approx(float(d["value"]), rel=1e-4)
    return {d["name"]: (int(d["step"]), float(d["value"])) for d in data}


def titles(browser):
    return texts(browser, ".chart figcaption b")


def keys(browser, css, *pressed):
    element = browser.find_element("css selector", css)
    browser.execute_script("arguments[0].focus()", element)
    element.send_keys(*pressed)


def test_every_value_of_the_curves_is_that_of_the_log(browser, tmp_path, bert):
    from selenium.webdriver import Keys

    opened(browser, training_view(bert, TEXT), tmp_path)
    log = log_of(bert)
    steps, evaluations = [r for r in log if "loss" in r], [r for r in log if "eval_mlm_loss" in r]
    lines = {
        ("masked-token loss (nats)", "training"): (steps, "mlm_loss"),
        ("masked-token loss (nats)", "held out"): (evaluations, "eval_mlm_loss"),
        ("next-sentence loss (nats)", "training"): (steps, "nsp_loss"),
        ("next-sentence loss (nats)", "held out"): (evaluations, "eval_nsp_loss"),
        ("learning rate", "learning rate"): (steps, "learning_rate"),
        ("norm of the gradient, before clipping", "norm of the gradient"): (steps, "grad_norm"),
    }
    seen = {line: set() for line in lines}
    keys(browser, ".chart > svg", Keys.HOME)
    for _ in range(len({r["step"] for r in log})):
        at = int(texts(browser, ".where")[0].removeprefix("step "))
        for (title, name), (records, key) in lines.items():
            step, value = values(browser, titles(browser).index(title))[name]
            assert abs(step - at) == min(abs(r["step"] - at) for r in records)  # the nearest that there is
            assert value == pytest.approx(next(r[key] for r in records if r["step"] == step), rel=1e-6)
            seen[title, name].add(step)
        keys(browser, ".chart > svg", Keys.ARROW_RIGHT)
    assert seen == {line: {r["step"] for r in records} for line, (records, _) in lines.items()}
    assert f"unigram {log[-1]['eval_unigram_loss']:.4f}" in texts(browser, ".chart text")
    no_complaints(browser)


def test_the_norms_of_the_layers_are_those_of_the_log(browser, tmp_path, bert):
    from selenium.webdriver import ActionChains

    opened(browser, training_view(bert, TEXT), tmp_path)
    norms = {r["step"]: r["grad_norms"] for r in log_of(bert) if "grad_norms" in r}
    assert list(norms) == [2, 4, 6, 8, 10, 12]
    first = titles(browser).index("embeddings")
    assert set(titles(browser)[first:][: len(norms[2])]) == set(norms[2])
    chart = elements(browser, ".chart > svg")[first]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", chart)
    for share in (-0.2, 0.1, 0.45):  # of the width, from the middle
        ActionChains(browser).move_to_element_with_offset(chart, int(share * chart.size["width"]), 0).perform()
        step = int(texts(browser, ".where")[0].removeprefix("step "))
        for n, layer in enumerate(titles(browser)[first:][: len(norms[2])], first):
            assert values(browser, n)[layer] == (step, pytest.approx(norms[step][layer], rel=1e-6))
    assert step == 12
    no_complaints(browser)


def expected(folder, text, top=5):
    """[{token: probability}] of each mask, by the model in NumPy."""
    model, tokenizer = open_both(folder, "mlm")
    ids = np.array(tokenizer.encode(text))
    probs = softmax(model(ids[None]).logits[0, ids == tokenizer.mask_token_id])
    names = tokenizer.convert_ids_to_tokens(list(range(probs.shape[1])))
    return [{names[i]: float(p[i]) for i in np.argsort(-p)[:top]} for p in probs]


def tables(browser):
    return browser.execute_script(
        "return [...document.querySelectorAll('.place')].map((place) => Object.fromEntries([...place.querySelectorAll("
        "'tr')].map((row) => [row.dataset.token, Number(row.dataset.value)])))"
    )


def test_what_every_saved_step_predicts_is_what_its_model_says(browser, tmp_path, bert):
    from selenium.webdriver import Keys

    opened(browser, training_view(bert, TEXT), tmp_path)
    keys(browser, "input[type=range]", Keys.HOME)
    for i, step in enumerate((5, 10, 12)):
        assert texts(browser, ".saved-step") == [f"step {step}, saved step {i + 1} of 3"]
        best = expected(bert / f"checkpoint-{step}", TEXT)
        for shown, right in zip(tables(browser), best, strict=True):
            assert shown == pytest.approx(right, rel=1e-5)
        assert texts(browser, ".sentence mark") == [next(iter(of_mask)) for of_mask in best]
        click(browser, elements(browser, ".controls button")[1])
    assert texts(browser, ".saved-step") == ["step 12, saved step 3 of 3"]  # it was the last
    for n, right in enumerate(best, len(titles(browser)) - 2):
        shown = values(browser, n)
        assert shown == {t: (12, pytest.approx(p, rel=1e-5)) for t, p in list(right.items())[:3]}
    no_complaints(browser)


def test_weights_that_no_checkpoint_holds_are_those_of_the_last_evaluation(bert, tmp_path):
    run = shutil.copytree(bert, tmp_path / "run")
    shutil.rmtree(run / "checkpoint-12")
    data, numbers = training_view(run, TEXT).data()
    array = data["arrays"][data["saved"]["steps"]]["boxes"][0]
    assert np.frombuffer(numbers, "<f4")[array["offset"] :][:3].tolist() == [5, 10, 12]


@pytest.mark.parametrize("width", [390, 1280])
def test_a_gpt_is_asked_for_the_next_token(browser, tmp_path, width):
    run = trained(tmp_path, "--model", "gpt2-nano", "--tokenizer", "char")
    opened(browser, training_view(run, "the cat"), tmp_path, width)
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    model, tokenizer = open_both(run, "clm")
    p = softmax(model([tokenizer.encode("the cat")]).logits[0, -1])
    (shown,) = tables(browser)
    assert sorted(shown.values()) == pytest.approx(sorted(map(float, p))[-5:], rel=1e-5)
    assert titles(browser)[0] == "next-token loss (nats)"
    assert any(text.startswith("bigram ") for text in texts(browser, ".chart text"))
    no_complaints(browser)


def test_a_run_without_norms_says_so(browser, tmp_path, bert):
    run = shutil.copytree(bert, tmp_path / "run")
    lines = [{name: value for name, value in record.items() if name != "grad_norms"} for record in log_of(run)]
    (run / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for weights in (run / "model.safetensors", *run.glob("checkpoint-*")):
        shutil.rmtree(weights) if weights.is_dir() else weights.unlink()
    opened(browser, training_view(run), tmp_path)
    assert any("train again to see them" in text for text in texts(browser, ".facts"))
    assert any("Nothing is saved yet" in text for text in texts(browser, ".facts"))
    no_complaints(browser)


def test_of_a_long_log_some_steps_are_shown_as_they_are():
    records = [{"step": i} for i in range(1, 1001)]
    shown = thinned(records, 300)
    assert len(shown) <= 300
    assert shown[-1] == records[-1]
    assert len({b["step"] - a["step"] for a, b in pairwise(shown)}) == 1
    assert thinned(records, 1000) == records


def test_what_cannot_be_shown_is_an_error_in_one_line(bert, tmp_path):
    with pytest.raises(CheckpointError, match="not a run folder"):
        training_view(tmp_path)
    with pytest.raises(DataError, match=r"write it in place of a word"):
        training_view(bert, "the cat saw a dog")
