"""`minibert finetune`, `evaluate` and `predict`, as a user would."""

import io
import json
import re
import sys

import pytest
from finetune_cases import MORE_ROWS, ROWS, SENTENCES, checkpoint, write_conll, write_csv, write_squad

import minibert
from minibert.tree import flatten

LEARN = ["--learning_rate", "5e-3", "--num_train_epochs", "15", "--batch_size", "8"]
LONG = ["--num_train_epochs", "60"]


@pytest.fixture
def finetune(command, tmp_path):
    """`minibert finetune` on the small checkpoint."""
    checkpoint(tmp_path / "base")
    write_csv(tmp_path / "films.csv")

    def run(*more, model="base", data="films.csv", out="out"):
        return command("finetune", model, "--data", data, "--output_dir", out, *LEARN, *more)

    return run


def results(folder):
    return json.loads((folder / "results.json").read_text())["metrics"]


def test_from_a_table_to_an_answer(finetune, command, tmp_path):
    write_csv(tmp_path / "films.csv", MORE_ROWS)
    found = finetune(*LONG)
    assert found.code == 0, found.err
    assert re.search(r"67 examples to train on, 17 held out \(20% by content, seed 0\)", found.out)
    assert "a new head" in found.out
    assert "parameters train (100.00%)" in found.out
    assert results(tmp_path / "out")["accuracy"]["value"] == 1
    assert re.search(r"accuracy +1\.0000  \[1\.0000, 1\.0000\]", found.out)
    answers = command("predict", "out", "i loved it at night", "a terrible film at home", "--json").out.splitlines()
    records = [json.loads(line) for line in answers]
    assert [record["label"] for record in records] == ["1", "0"]
    assert sum(records[0]["probabilities"].values()) == pytest.approx(1)
    assert command("predict", "out", "i loved it").out.startswith("1 ")


def test_the_folder_is_one_of_hugging_face(finetune, tmp_path):
    write_csv(tmp_path / "films.csv", [(text, ("bad", "good")[label]) for text, label in ROWS])
    assert finetune().code == 0
    model = minibert.AutoModelForSequenceClassification.from_pretrained(tmp_path / "out")
    tokenizer = minibert.AutoTokenizer.from_pretrained(tmp_path / "out")
    assert model.config.id2label == {0: "bad", 1: "good"}
    assert model.config.problem_type == "single_label_classification"
    logits = model(**tokenizer(["i loved it"], return_tensors="np")).logits
    assert model.config.id2label[logits.argmax(-1)[0]] == "good"


@pytest.mark.parametrize("method", ["head", "features", "feed-forward", "bias", "lora", "prompt"])
def test_each_way_to_adapt(finetune, command, tmp_path, method):
    found = finetune("--method", method, "--num_virtual_tokens", 4)
    assert found.code == 0, found.err
    learned, total = (
        int(n.replace(",", "")) for n in re.search(r"([\d,]+) of ([\d,]+) parameters", found.out).groups()
    )
    assert learned < total / 2
    settings = json.loads((tmp_path / "out" / "task.json").read_text())
    assert settings["trainable_parameters"] == learned
    measured = json.loads(command("evaluate", "out", "--data", "films.csv", "--json").out)
    saved = results(tmp_path / "out")  # opened again it is the same model, on the same rows; LoRA is merged then
    assert measured["metrics"].keys() == saved.keys()
    for name, interval in saved.items():
        assert measured["metrics"][name] == pytest.approx(interval, abs=1e-6)
    assert measured["rows"] == "the 20% that were held out from training"


def test_features_learn_what_a_frozen_body_without_dropout_learns(finetune, tmp_path):
    for method in ("head", "features"):
        assert finetune("--method", method, out=method).code == 0
    a, b = (minibert.BertForSequenceClassification.from_pretrained(tmp_path / m) for m in ("head", "features"))
    for name, array in flatten(a.params).items():
        assert array == pytest.approx(flatten(b.params)[name], abs=1e-4), name


def test_a_frozen_body_keeps_its_bits(finetune, tmp_path):
    assert finetune("--method", "head").code == 0
    before = minibert.BertModel.from_pretrained(tmp_path / "base").params["encoder"]
    after = minibert.BertModel.from_pretrained(tmp_path / "out").params["encoder"]
    assert all((array == flatten(after)[name]).all() for name, array in flatten(before).items())


def test_numbers(finetune, command, tmp_path):
    write_csv(tmp_path / "scores.csv", [(text, 4.5 if label else 1.25) for text, label in ROWS], "text,score")
    found = finetune("--task", "regression", "--label_column", "score", *LONG, data="scores.csv")
    assert found.code == 0, found.err
    assert results(tmp_path / "out")["pearson"]["value"] > 0.8
    record = json.loads(command("predict", "out", "i loved it", "--json").out)
    assert record["score"] == pytest.approx(4.5, abs=1)


def test_several_labels(finetune, command, tmp_path):
    rows = [{"text": t, "labels": ["good"] * label + ["short"] * (len(t) < 20)} for t, label in ROWS]
    (tmp_path / "many.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = finetune("--task", "multi-label", *LONG, data="many.jsonl")
    assert found.code == 0, found.err
    assert results(tmp_path / "out")["micro_f1"]["value"] > 0.8
    assert json.loads(command("predict", "out", "i loved it", "--json").out)["labels"] == ["good", "short"]


def test_words(finetune, command, tmp_path):
    write_conll(tmp_path / "names.conll", SENTENCES * 3)
    found = finetune("--task", "tokens", "--eval_data", "names.conll", data="names.conll")
    assert found.code == 0, found.err
    assert results(tmp_path / "out")["entity_f1"]["value"] == 1
    record = json.loads(command("predict", "out", "anna went to rome .", "--json").out)
    assert record["entities"] == [{"type": "PER", "text": "anna"}, {"type": "LOC", "text": "rome"}]
    assert "LOC" in command("predict", "out", "anna went to rome .").out


def test_answers(finetune, command, tmp_path):
    write_squad(tmp_path / "squad.json")
    more = ["--num_train_epochs", "40", "--max_length", "20", "--eval_data", "squad.json"]
    found = finetune("--task", "question-answering", *more, data="squad.json")
    assert found.code == 0, found.err
    assert results(tmp_path / "out")["exact_match"]["value"] == 1
    asked = ["--question", "who lives there ?", "--context", "anna lives in rome ."]
    assert command("predict", "out", *asked).out == "anna\n"


def test_choices(finetune, command, tmp_path):
    rows = [
        {"question": "which one ?", "choices": [a, b], "label": a}
        for a in ("i loved it", "great and moving")
        for b in ("i hated it", "dull and slow")
    ]
    rows += [{**row, "choices": row["choices"][::-1]} for row in rows]
    (tmp_path / "choices.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = finetune("--task", "multiple-choice", "--eval_data", "choices.jsonl", data="choices.jsonl")
    assert found.code == 0, found.err
    assert results(tmp_path / "out")["accuracy"]["value"] == 1
    asked = ["which one ?", "--choices", "dull and slow", "i loved it", "--json"]
    assert json.loads(command("predict", "out", *asked).out)["label"] == "i loved it"


def test_a_decoder(command, tmp_path):
    checkpoint(tmp_path / "gpt", "gpt2")
    write_csv(tmp_path / "films.csv")
    found = command("finetune", "gpt", "--data", "films.csv", "--output_dir", "out", *LEARN)
    assert found.code == 0, found.err
    assert json.loads(command("predict", "out", "i loved it", "--json").out)["label"] == "1"
    measured = json.loads(command("evaluate", "out", "--data", "films.csv", "--json").out)
    assert measured["metrics"] == results(tmp_path / "out")


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_dropout_is_what_was_asked_for(command, tmp_path, kind):
    checkpoint(tmp_path / "base", kind)
    write_csv(tmp_path / "films.csv")
    weights, rates = [], []
    for more in ([], ["--dropout", "0"], ["--dropout", "0.3"]):
        argv = ["--data", "films.csv", "--max_steps", "2", "--output_dir", f"out{len(rates)}", *more]
        assert command("finetune", "base", *argv).code == 0
        weights.append((tmp_path / f"out{len(rates)}" / "model.safetensors").read_bytes())
        config = json.loads((tmp_path / f"out{len(rates)}" / "config.json").read_text())
        rates.append({rate for name, rate in config.items() if name.endswith(("dropout_prob", "pdrop"))})
    assert rates == [{0.0}, {0.0}, {0.3}]  # the base has none
    assert weights[0] == weights[1] != weights[2]


def test_early_stopping_keeps_the_best(finetune, tmp_path):
    found = finetune("--patience", 1, "--num_train_epochs", 60)
    assert found.code == 0, found.err
    records = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    losses = [record["eval_loss"] for record in records if "eval_loss" in record]
    assert len(losses) < 60
    assert losses[-1] >= min(losses)
    assert "3 to stop by" in found.out
    assert not (tmp_path / "out" / "checkpoints").exists()


def test_what_is_cut_off_is_counted(finetune, command, tmp_path):
    write_csv(tmp_path / "films.csv", [*ROWS, ("a wonderful film " * 30, 1), ("dull and slow " * 30, 0)])
    found = finetune("--eval_data", "films.csv", "--max_length", 24)
    assert "note: 2 of 38 training texts are longer than 24 tokens and were cut off there" in found.out
    assert "note: 2 of 38 held-out texts" in found.out
    found = command("predict", "out", "a wonderful film " * 30)
    assert found.err == "note: 1 of 1 texts are longer than 24 tokens and were cut off there\n"
    found = command("evaluate", "out", "--data", "films.csv", "--split", "train")
    assert "note: 2 of 38 texts" in found.err


def test_texts_from_files(finetune, command, tmp_path, monkeypatch):
    assert finetune().code == 0
    (tmp_path / "lines.txt").write_text("i loved it\n\ni hated it\n")
    monkeypatch.setattr(sys, "stdin", io.StringIO("i loved it\ni hated it\n"))
    a, b = command("predict", "out", "--input", "lines.txt", "--json"), command("predict", "out", "-", "--json")
    assert a.out == b.out
    assert [json.loads(line)["label"] for line in a.out.splitlines()] == ["1", "0"]


def test_options_in_a_file(command, tmp_path):
    checkpoint(tmp_path / "base")
    write_csv(tmp_path / "films.csv")
    printed = command("finetune", "base", "--data", "films.csv", "--method", "bias", "--print_config").out
    (tmp_path / "my.yaml").write_text(printed)
    found = command("finetune", "--config", "my.yaml", "--max_steps", 2, "--output_dir", "out")
    assert found.code == 0, found.err
    assert "method bias" in found.out
    assert "2 steps" in found.out


@pytest.mark.parametrize("task", ["classification", "tokens", "question-answering"])
def test_a_checkpoint_that_was_fine_tuned_elsewhere(finetune, command, tmp_path, task):
    """Without `task.json` its configuration tells the task and the labels."""
    write_conll(tmp_path / "names.conll", SENTENCES * 2)
    write_squad(tmp_path / "squad.json")
    data, asked = {
        "classification": ("films.csv", ["i loved it"]),
        "tokens": ("names.conll", ["anna went to rome ."]),
        "question-answering": ("squad.json", ["--question", "who ?", "--context", "anna lives in rome ."]),
    }[task]
    found = finetune("--task", task, "--max_steps", 3, "--max_length", 24, "--eval_data", data, data=data)
    assert found.code == 0, found.err
    with_settings = command("predict", "out", *asked, "--json")
    (tmp_path / "out" / "task.json").unlink()
    assert command("predict", "out", *asked, "--json").out == with_settings.out
    measured = json.loads(command("evaluate", "out", "--data", data, "--split", "train", "--json").out)
    assert measured["task"] == task


def test_labels_without_names_are_the_numbers_of_the_data(finetune, command, tmp_path):
    assert finetune(*LONG).code == 0
    (tmp_path / "out" / "task.json").unlink()
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    del config["id2label"], config["label2id"]
    (tmp_path / "out" / "config.json").write_text(json.dumps(config))
    assert json.loads(command("predict", "out", "i loved it", "--json").out)["label"] == "LABEL_1"
    measured = json.loads(command("evaluate", "out", "--data", "films.csv", "--split", "train", "--json").out)
    assert measured["metrics"]["accuracy"]["value"] > 0.8


def test_the_head_goes_on_unless_a_new_one_is_asked_for(finetune):
    assert finetune("--max_steps", 1, out="first").code == 0
    assert "the head that it has" in finetune("--max_steps", 1, model="first", out="second").out
    assert "a new head" in finetune("--max_steps", 1, "--new_head", model="first", out="third").out


@pytest.mark.parametrize(("kind", "name"), [("bert", "pseudo_perplexity"), ("gpt2", "perplexity")])
def test_language_models(command, tmp_path, kind, name):
    checkpoint(tmp_path / "base", kind)
    (tmp_path / "text.txt").write_text("\n\n".join(text for text, _ in ROWS), encoding="utf-8")
    found = json.loads(command("evaluate", "base", "--data", "text.txt", "--json").out)
    assert found["texts"] == len(ROWS)
    low, value, high = (found["metrics"][name][key] for key in ("low", "value", "high"))
    assert 1 < low < value < high
    assert value < 1000  # of some 200 tokens, unlearned
