"""`minibert compare`, as a user would."""

import json
import shutil

import pytest
from finetune_cases import MORE_ROWS, ROWS, SENTENCES, checkpoint, write_conll, write_csv

from minibert.cli import main

LEARN = ["--data", "films.csv", "--batch_size", "8"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Models of films: `good`, which has learned; `poor`, an adapter that has not; `other`, which held out others.

    And `names`, of words.
    """
    home = checkpoint(tmp_path_factory.mktemp("home") / "base").parent
    write_csv(home / "films.csv", MORE_ROWS)
    write_csv(home / "unseen.csv", [(text, 7) for text, _ in ROWS])
    write_conll(home / "names.conll", SENTENCES * 2)
    few = ["--max_steps", "1", "--learning_rate", "1e-9"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        for out, more in {
            "good": [*LEARN, "--learning_rate", "1e-2", "--num_train_epochs", "12"],
            "poor": [*LEARN, *few, "--method", "lora"],
            "other": [*LEARN, *few, "--seed", "5"],
            "names": ["--task", "tokens", "--data", "names.conll", *few],
        }.items():
            assert main(["finetune", "base", "--output_dir", out, "--backend", "numpy", *more]) == 0
    return home


@pytest.fixture
def compare(command, home, monkeypatch):
    """`minibert compare` in the folder of the models."""
    monkeypatch.chdir(home)
    return lambda *argv: command("compare", *argv)


def test_a_table_a_picture_and_a_file(compare, home, tmp_path):
    argv = ["--baseline", "tf-idf", "--data", "films.csv", "--picture", tmp_path / "choice.png"]
    found = compare("good", "poor", *argv, "--json", tmp_path / "choice.json")
    assert found.code == 0, found.err
    assert (tmp_path / "choice.png").read_bytes().startswith(b"\x89PNG")
    whole = json.loads((tmp_path / "choice.json").read_text())
    good, poor, baseline = whole["candidates"]
    assert [row["name"] for row in whole["candidates"]] == ["good", "poor", "tf-idf"]
    assert whole["examples"] == 17  # what was held out, for all of them
    saved = json.loads((home / "good" / "results.json").read_text())["metrics"]
    for name, interval in saved.items():
        assert good["metrics"][name] == pytest.approx(interval, abs=1e-6)
    assert good["difference"] is None or baseline["difference"] is None
    assert poor["difference"]["value"] == pytest.approx(
        poor["metrics"]["accuracy"]["value"] - max(row["metrics"]["accuracy"]["value"] for row in (good, baseline))
    )
    assert poor["difference"]["excludes_zero"]
    assert 0 < poor["difference"]["differ"] <= 17
    assert good["parameters"] == good["trainable"] > poor["trainable"]
    sizes = {name: (home / name).stat().st_size for name in ("good/model.safetensors", "base/model.safetensors")}
    assert sizes["good/model.safetensors"] < good["disk"] < 2 * sizes["good/model.safetensors"]
    assert poor["disk"] > sizes["base/model.safetensors"]  # an adapter needs its model
    for row in whole["candidates"]:
        assert row["memory"] is None or row["memory"] >= 0
        assert 0 < row["latency_p50"] <= row["latency_p95"]
        assert row["texts_per_second"] > 0
    assert any(row["pareto"] for row in whole["candidates"])
    lines = found.out.splitlines()
    assert "accuracy" in lines[2]
    assert [line.split()[0] == "*" for line in lines[3:6]] == [row["pareto"] for row in whole["candidates"]]
    assert "poor beside" in found.out
    assert f"rests on {poor['difference']['differ']} rows where the two differ, too few to tell" in found.out
    steps = [f"{name}: predicting 17 texts" for name in ("good", "poor", "tf-idf")]
    steps += [f"{name}: memory, in a process of its own" for name in ("good", "poor", "tf-idf")]
    assert [line for line in found.err.splitlines() if line in steps] == steps


def test_models_may_have_their_labels_in_another_order(compare, home):
    """Each is held against the truth in its own order."""
    swapped = home / "swapped"
    shutil.copytree(home / "good", swapped)
    settings = json.loads((swapped / "task.json").read_text())
    (swapped / "task.json").write_text(json.dumps({**settings, "labels": ["1", "0"]}))
    found = compare("good", "swapped", "--data", "films.csv", "--json", "-")
    good, other = json.loads(found.out)["candidates"]
    accuracies = [row["metrics"]["accuracy"]["value"] for row in (good, other)]
    assert sum(accuracies) == pytest.approx(1)  # what one calls 0 the other calls 1


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["good", "good"], "good is named twice"),
        (["good", "base"], "has no head of a task"),
        (["good", "nosuch"], "no such folder"),
        (["good", "--baseline", "magic"], "no baseline named 'magic'"),
        (["good", "--picture", "x.gif"], "must be a .png, .svg or .pdf file"),
        (["good", "--json", "no/x.json"], "there is no such folder"),
        (["good", "--batch_size", "0"], "--batch_size must be at least 1"),
        (["good", "--label_column", "stars"], "no column 'stars'; there are text, label"),
        (["good", "names"], "models of different tasks cannot be compared (good: classification, names: tokens)"),
        (["names", "--baseline", "tf-idf", "--data", "names.conll"], "classifies single texts"),
        (["good", "other"], "good and other held out different rows of this data"),
        (["good", "--data", "unseen.csv"], "good: row 0 of column 'label': '7' is none of the 2 classes"),
    ],
)
def test_what_cannot_be_compared(compare, home, argv, message):
    before = sorted(home.rglob("*"))
    found = compare(*argv, *([] if "--data" in argv else ["--data", "films.csv"]))
    assert found.code == 2, found.out
    assert message in found.err.splitlines()[-1]
    assert sorted(home.rglob("*")) == before


def test_without_data(compare):
    assert "--data is missing" in compare("good").err
