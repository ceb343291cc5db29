"""`minibert finetune --task pairs`: from a table of pairs to a folder that `minibert embed` opens."""

import csv
import json

import numpy as np
import pytest
from finetune_cases import MORE_ROWS, checkpoint

import minibert
from minibert.evaluation import spearman
from minibert.sentence_encoder.similarity import ranks
from minibert.tree import flatten

ALIKE = [(a, b, 1.0 if one == other else 0.0) for a, one in MORE_ROWS[::2] for b, other in MORE_ROWS[1::9] if a != b]
TOGETHER = [(f"{a} .", a) for a, _ in MORE_ROWS]
LEARN = ["--learning_rate", "3e-3", "--batch_size", "16"]


def write_pairs(path, rows, header=("sentence1", "sentence2", "score")):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header[: len(rows[0])], *rows])
    return path


@pytest.fixture
def finetune(command, tmp_path):
    checkpoint(tmp_path / "base")

    def run(*more, rows=ALIKE, out="out", **how):
        data = write_pairs(tmp_path / "pairs.csv", rows, **how)
        return command("finetune", "base", "--task", "pairs", "--data", data, "--output_dir", out, *LEARN, *more)

    return run


def measured(folder):
    return json.loads((folder / "results.json").read_text())["metrics"]


def test_scores_are_learned_and_embed_opens_the_folder(finetune, command, tmp_path):
    found = finetune("--num_train_epochs", "6")
    assert found.code == 0, found.err
    assert "pairs with scores" in found.out
    assert "minibert embed out" in found.out
    result = measured(tmp_path / "out")["spearman"]
    assert result["low"] > 0.5
    assert result["low"] < result["value"] < result["high"]
    good, bad = (
        command("embed", "out", "a wonderful film", text) for text in ("i loved it at night", "dull and slow at night")
    )
    assert float(good.out) > float(bad.out)


def test_the_figure_is_that_of_the_vectors_of_the_folder(finetune, command, tmp_path):
    heldout = write_pairs(tmp_path / "heldout.csv", ALIKE[:40])
    assert finetune("--eval_data", heldout, "--max_steps", "3").code == 0
    encoder = minibert.SentenceEncoder.from_pretrained(tmp_path / "out")
    u, v = (encoder.encode([row[side] for row in ALIKE[:40]], normalize_embeddings=True) for side in (0, 1))
    expected = spearman([score for *_, score in ALIKE[:40]], (u * v).sum(1))
    assert measured(tmp_path / "out")["spearman"]["value"] == pytest.approx(expected, abs=1e-9)
    said = json.loads(command("evaluate", "out", "--data", heldout, "--json").out)
    assert said["metrics"]["spearman"]["value"] == pytest.approx(expected, abs=1e-9)
    predicted = command("predict", "out", ALIKE[0][0], "--pair", ALIKE[0][1], "--json").out
    assert json.loads(predicted)["cosine"] == pytest.approx(float((u[0] * v[0]).sum()), abs=1e-5)


def test_pairs_without_scores_find_their_partners(finetune, command, tmp_path):
    assert finetune("--max_steps", "1", "--learning_rate", "1e-9", rows=TOGETHER, out="before").code == 0
    found = finetune("--num_train_epochs", "6", rows=TOGETHER)
    assert found.code == 0, found.err
    assert "pairs without scores" in found.out
    before, after = (measured(tmp_path / folder)["mean_reciprocal_rank"] for folder in ("before", "out"))
    assert after["value"] > before["value"]
    assert measured(tmp_path / "out")["retrieval_accuracy"]["value"] > 0.5
    assert "17 held out" in found.out
    assert "retrieval_accuracy" in command("evaluate", "out", "--data", "pairs.csv").out


def test_ranks_are_those_of_a_sorted_list():
    u, v = np.random.default_rng(0).normal(size=(2, 9, 4))
    v[3] = v[7]  # one text twice: neither is before the other
    unit_u, unit_v = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (u, v))
    cosines = unit_u @ unit_v.T
    expected = [1 + sum(c > cosines[i, i] + 1e-6 for c in cosines[i]) for i in range(9)]
    for rows in (1, 4, 9, 100):
        assert ranks(u, v, rows).tolist() == expected
    assert 1 < max(expected) <= 9


@pytest.mark.parametrize("method", ["lora", "bias", "feed-forward"])
def test_parts_of_the_encoder_train(finetune, command, tmp_path, method):
    found = finetune("--method", method, "--max_steps", "2")
    assert found.code == 0, found.err
    assert command("embed", "out", "a film", "a dull film").code == 0
    assert not (tmp_path / "out/adapter_config.json").exists()  # merged: embed opens one folder, not two
    base, out = (minibert.BertModel.from_pretrained(tmp_path / f) for f in ("base", "out"))
    before, after = (flatten(model.params) for model in (base, out))
    changed = {name for name in after if (after[name] != before[name]).any()}
    kinds = {"lora": ("qkv.weight",), "bias": (".bias", ".beta"), "feed-forward": (".feed_forward.",)}
    assert changed
    assert all(any(kind in name for kind in kinds[method]) for name in changed), changed


def test_the_encoder_cuts_texts_where_training_did(finetune, tmp_path):
    found = finetune("--max_length", "6", "--max_steps", "1")
    assert "longer than 6 tokens and were cut off there" in found.out
    assert minibert.SentenceEncoder.from_pretrained(tmp_path / "out").recipe.max_seq_length == 6


def test_another_task_in_its_place_leaves_nothing_of_the_encoder(finetune, command, tmp_path):
    assert finetune("--max_steps", "1").code == 0
    assert finetune("--max_steps", "1", "--overwrite").code == 0
    films = write_pairs(tmp_path / "films.csv", MORE_ROWS, ("text", "label"))
    again = command("finetune", "base", "--data", films, "--output_dir", "out", "--overwrite", "--max_steps", "1")
    assert again.code == 0, again.err
    assert not (tmp_path / "out/modules.json").exists()
    assert not (tmp_path / "out/1_Pooling").exists()


@pytest.mark.parametrize(
    ("rows", "more", "message"),
    [
        (ALIKE, ["--text_pair_column", "other"], "no column 'other'; there are sentence1, sentence2, score"),
        (ALIKE, ["--label_column", "stars"], "no column 'stars'; there are sentence1, sentence2, score"),
        ([*ALIKE, ("a film", "the film", 4.5)], [], "is 4.5, but a cosine is within -1..1: divide the scores by"),
        ([*ALIKE, ("a film", "the film", "")], [], "of column 'score' is missing"),
        ([*ALIKE, ("a film", " ", 1)], [], "of column 'sentence2' is an empty text"),
        ([(a, b, 1.0) for a, b, _ in ALIKE], [], "all rows of column 'score' are 1: nothing to learn"),
        (ALIKE[:1], [], "1 rows cannot be split"),
        (ALIKE[:2], [], "there is only one row to measure on"),
        (TOGETHER, ["--batch_size", "1"], "learn from the others of their batch: take at least 2"),
        (ALIKE, ["--method", "head"], "pairs have no head, so --method head trains nothing: full, feed-forward"),
        (ALIKE, ["--method", "prompt"], "pairs have no head, so --method prompt trains nothing"),
        (ALIKE, ["--label_smoothing", "0.1"], "pairs are not learned with label_smoothing"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(finetune, tmp_path, rows, more, message):
    found = finetune(*more, rows=rows)
    assert found.code == 2, found.out
    assert message in found.err
    assert len(found.err.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) in (["base", "pairs.csv"], ["base", "cache", "pairs.csv"])
