"""`minibert study` on a few short reviews: cells become files, go on where they stopped, and are told in a table."""

import json

import pytest

from minibert.cli import main
from minibert.study import starts
from minibert.study.cells import all_cells, chosen_cells, read_cells
from minibert.study.matching import halves
from minibert.study.recipes import RECIPES
from minibert.study.reviews import both_ends, choose_reviews

SMALL = (
    "--max_length 40 --long_length 48 --vocab_size 80 --pretraining_steps 4 --matching_epochs 1 --test_reviews 30 "
    "--validation_reviews 16 --backend numpy"
).split()


@pytest.fixture
def study(data, short, minilm, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIBERT_CACHE", str(tmp_path / "cache"))

    def run(*more, out="out"):
        code = main(["study", str(data), "--output_dir", out, *SMALL, *more])
        return code, capsys.readouterr()

    return run


def stamps(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("cells/*.json")}


def test_a_whole_row_of_each_start_and_the_baseline(study, tmp_path):
    pytest.importorskip("sklearn")
    code, out = study("--cells", "*/*/100", "minilm/full/all/long", "--picture", "picture.png")
    assert code == 0, out.err
    cells = read_cells(tmp_path / "out")
    assert len(cells) == 14  # 3 starts x 4 methods, the baseline, and the long one
    for cell in cells.values():
        right = round(cell["accuracy"] * cell["test_reviews"])
        assert cell["low"] <= cell["accuracy"] <= cell["high"]
        assert len(cell["predictions"]) == cell["test_reviews"] == 30
        labels = [i % 2 for i in range(30)]
        assert sum(int(p) == label for p, label in zip(cell["predictions"], labels, strict=True)) == right
    assert cells["minilm/full/all/long"]["train_reviews"] == 130
    assert cells["minilm/lora/100"]["train_reviews"] == 100
    trains = {m: cells[f"minilm/{m}/100"]["trainable_parameters"] for m in ("full", "lora", "features", "prompt")}
    assert trains["features"] == 16 * 2 + 2
    assert trains["prompt"] == trains["features"] + 20 * 16
    assert trains["full"] == cells["minilm/full/100"]["parameters"] > trains["lora"] > trains["features"]
    assert "not run yet" in out.out
    assert "| TF-IDF | logistic regression |" in out.out
    assert (tmp_path / "picture.png").stat().st_size > 5000


def test_it_goes_on_where_it_stopped(study, tmp_path, monkeypatch):
    """What is finished stays, pre-training too; a cell that failed is run again, to the same result."""
    folder = tmp_path / "out"
    assert study("--cells", "scratch/features/100", "pretrained/features/100")[0] == 0
    first, weights = stamps(folder), (folder / "pretraining" / "model.safetensors").stat().st_mtime_ns
    assert set(first) == {"scratch-features-100.json", "pretrained-features-100.json"}
    path = folder / "cells" / "scratch-features-100.json"
    before = json.loads(path.read_text())
    path.unlink()
    code, out = study("--cells", "scratch/features/100", "pretrained/features/100", "pretrained/lora/100")
    assert code == 0, out.err
    assert {name: stamp for name, stamp in stamps(folder).items() if name in first and "scratch" not in name} == {
        "pretrained-features-100.json": first["pretrained-features-100.json"]
    }
    assert "pretrained-lora-100.json" in stamps(folder)
    assert (folder / "pretraining" / "model.safetensors").stat().st_mtime_ns == weights
    again = json.loads(path.read_text())
    del before["seconds"], again["seconds"]
    assert again == before


def test_the_table_alone_runs_nothing(study, tmp_path):
    code, out = study("--table")
    assert code == 2
    assert "holds no study yet" in out.err
    assert study("--cells", "minilm/features/100")[0] == 0
    before = stamps(tmp_path / "out")
    code, out = study("--table")
    assert code == 0
    assert stamps(tmp_path / "out") == before
    row = next(line for line in out.out.splitlines() if "all-minilm-l6-v2 | feature extraction" in line)
    cell = read_cells(tmp_path / "out")["minilm/features/100"]
    assert f"{100 * cell['accuracy']:.1f} % [{100 * cell['low']:.1f}, {100 * cell['high']:.1f}]" in row


def test_the_table_is_of_the_data_that_was_asked_for(study, data, tmp_path):
    (tmp_path / "studied").mkdir()
    (tmp_path / "studied" / "study.json").write_text('{"data": "movie-reviews"}')
    code, out = study("--table", out="studied")
    assert code == 2
    assert f"studied holds a study of movie-reviews, not of {data}" in out.err


def test_what_a_method_costs(study, tmp_path):
    """The optimizer keeps two means of each number that trains, and of no other; the table says so."""
    code, out = study("--cells", "minilm/features/100", "--costs")
    assert code == 0, out.err
    costs = json.loads((tmp_path / "out" / "costs.json").read_text())
    assert list(costs) == ["full", "lora", "features", "prompt"]
    for cost in costs.values():
        assert cost["optimizer_memory"] == 2 * 4 * cost["trainable_parameters"]
    assert costs["full"]["trainable_parameters"] > 10 * costs["features"]["trainable_parameters"]
    assert f"| feature extraction | {16 * 2 + 2} |" in study("--table")[1].out


def test_other_settings_in_the_same_folder_are_refused(study, tmp_path):
    assert study("--cells", "minilm/features/100")[0] == 0
    before = stamps(tmp_path / "out")
    code, out = study("--cells", "minilm/features/100", "--max_length", "30")
    assert code == 2
    assert "--max_length 40, not 30" in out.err
    assert stamps(tmp_path / "out") == before


def test_a_cell_that_is_none_is_explained(study):
    code, out = study("--cells", "minilm/lora/10")
    assert code == 2
    assert "no cell is like 'minilm/lora/10'" in out.err


def test_pre_training_sees_the_training_texts_and_no_other(data, tmp_path):
    import minibert

    reviews, seen = choose_reviews(minibert.load_dataset(data), 10, 20), []

    def pretrain(text, into):
        seen.extend(json.loads(line) for line in text.read_text().splitlines())
        into.mkdir()

    def match(before, into):
        assert before.name == "pretraining"
        into.mkdir()

    folder = tmp_path / "study"
    folder.mkdir()
    assert starts.pretrained_folder(folder, reviews.train, pretrain, match) == folder / "matched"
    starts.pretrained_folder(folder, reviews.train, pretrain, match)  # there already
    assert [row["text"] for row in seen] == reviews.train["text"]
    assert all(set(row) == {"text"} for row in seen)
    heldout = {*minibert.load_dataset(data)["test"]["text"], *minibert.load_dataset(data)["validation"]["text"]}
    assert not heldout & {row["text"] for row in seen}


def test_fewer_labels_are_part_of_more_and_half_of_each_class(data):
    import minibert

    reviews = choose_reviews(minibert.load_dataset(data), 10, 20)
    few, more = reviews.labelled("20"), reviews.labelled("100")
    assert len(few) == 20
    assert sum(few["label"]) == 10
    assert set(few["text"]) <= set(more["text"]) <= set(reviews.labelled("all")["text"])


def test_halves_share_no_word():
    first, second = halves("It was good. The plot was thin! I liked it? So did the others.")
    assert first == "It was good. I liked it?"
    assert second == "The plot thin So did the others"
    assert halves("one two three two") == ("one three", "two two")


def test_a_long_text_keeps_both_ends():
    assert both_ends(list(range(10)), 10) == list(range(10))
    assert both_ends(list(range(10)), 5) == [0, 1, 2, 8, 9]
    assert both_ends(list(range(10)), 1) == [0]


def test_every_cell_has_a_recipe():
    cells = [cell for cell in all_cells() if cell.start in RECIPES]
    assert len(cells) == 37
    assert all((cell.method, cell.labels) in RECIPES[cell.start] for cell in cells)
    assert [cell.name for cell in chosen_cells(["minilm/*/all*"])][:2] == [
        "minilm/features/all",
        "minilm/full/all/long",
    ]
