"""The command from end to end at the smallest sizes, its table and its file."""

import importlib
import json
import sys

import pytest

from minibert import get_backend
from minibert.bench import cold, flops
from minibert.bench.rows import Row, Target
from minibert.bench.sizes import Sizes
from minibert.bench.table import table, verdict

bench_command = importlib.import_module("minibert.cli.bench")
SOME = ["--ops", "matmul", "layer_norm", "linear_cross_entropy", "--models", "bert-tiny"]


def check(out, file):
    """Every row of the file is a line of the table with the same name, and the other way round."""
    found = json.loads(file.read_text())
    names = [f"{row['name']} ({row['note']})" if row["note"] else row["name"] for row in found["rows"]]
    lines = out.splitlines()
    for name in names:
        assert sum(line.startswith(f"{name}  ") for line in lines) == 1, name
    headings = [i for i, line in enumerate(lines) if line.endswith("  target")]
    assert len(headings) == len({row["section"] for row in found["rows"]})
    assert sum([*lines, ""].index("", i) - i - 1 for i in headings) == len(names)
    return found


def test_without_torch(command, tmp_path):
    file = tmp_path / "bench.json"
    picture = tmp_path / "bench.png"
    code, out, err = command(*SOME, "--no_torch", "--json", file, "--picture", picture)
    assert code == 0, err
    assert picture.read_bytes().startswith(b"\x89PNG")
    found = check(out, file)
    assert "oracle" in out
    assert "PyTorch  " not in out
    rows = {row["name"]: row for row in found["rows"]}
    assert rows["layer_norm (16,256)"]["times_numpy"] > 0
    assert "torch_ms" not in rows["layer_norm (16,256)"]
    step = rows["bert-tiny, B 2, T 8: kernels"]
    assert step["tokens_per_second"] == pytest.approx(16 / (step["ms"] / 1e3))
    assert step["share"] == pytest.approx(step["gflops"] / found["machine"]["best_product_gflops"])
    assert step["mb"] > 1
    assert found["machine"]["numpy"]
    assert "no targets" in out
    told = [line.removeprefix("measuring: ") for line in err.splitlines() if line.startswith("measuring: ")]
    assert told[-2:] == ["memory of the head", "step of bert-tiny"]
    assert "layer_norm (16,256)" in told
    assert get_backend() == "numpy"  # as before


@pytest.mark.slow
@pytest.mark.oracle
def test_with_torch(command, tmp_path):
    pytest.importorskip("torch", reason="needs the extra `oracle`")
    pytest.importorskip("transformers", reason="needs the extra `oracle`")
    file = tmp_path / "bench.json"
    code, out, err = command("--ops", "layer_norm", "linear_cross_entropy", "--models", "bert-tiny", "--json", file)
    assert code == 0, err
    found = check(out, file)
    assert "oracle" not in out
    steps = [row for row in found["rows"] if row["section"] == "steps"]
    assert [row["name"].split(": ")[1] for row in steps] == ["kernels", "NumPy", "PyTorch", "Hugging Face"]
    for row in steps[1:]:
        assert row["times"] == pytest.approx(row["ms"] / steps[0]["ms"])
        assert row["memory_ratio"] == pytest.approx(steps[0]["mb"] / row["mb"])


def test_a_machine_without_torch(command, monkeypatch):
    monkeypatch.setattr(bench_command, "find_spec", lambda name: None)
    code, out, err = command("--ops", "layer_norm", "--models")
    assert code == 0, err
    assert 'pip install "minibert-numpy[oracle]"' in out


@pytest.mark.parametrize(
    ("model", "batch_size", "seq_len", "vocab_size", "dropout"),
    [("bert-mini", 16, 128, 30522, 0.1), ("bert-base", 4, 128, 30522, 0.1), ("gpt2-nano", 12, 64, 81, 0.0)],
)
def test_standard_sizes(model, batch_size, seq_len, vocab_size, dropout):
    """Those that README and the targets speak of; dropout 0 is a choice, not a wish for the standard."""
    assert Sizes(model) == Sizes(model, batch_size, seq_len, vocab_size, dropout)
    assert Sizes(model).are_standard()
    assert not Sizes(model, seq_len=seq_len + 1).are_standard()
    assert Sizes(model, dropout=0.0).are_standard() == (dropout == 0)


def test_a_causal_step(command, tmp_path):
    """Its row counts what is predicted: all tokens but the first of each sequence."""
    file = tmp_path / "bench.json"
    code, out, err = command("--ops", "--models", "gpt2-nano", "--no_torch", "--json", file)
    assert code == 0, err
    found = check(out, file)
    assert [row["name"] for row in found["rows"]] == [f"gpt2-nano, B 2, T 8: {side}" for side in ("kernels", "NumPy")]
    assert found["settings"]["steps"] == [
        {"model": "gpt2-nano", "batch_size": 2, "seq_len": 8, "vocab_size": 50, "dropout": 0.0}
    ]
    row = found["rows"][0]
    assert row["gflops"] == pytest.approx(
        flops.causal_training_step(Sizes("gpt2-nano", 2, 8, 50).config(), 2, 8) / row["ms"] / 1e6
    )


def test_targets():
    row = Row("ops", "an op", {"times_torch": 1.31, "times_numpy": 0.89}, (
        Target("times_torch", ">=", 1.3), Target("times_numpy", ">=", 0.9), Target("memory_ratio", "<=", 0.1),
    ))  # fmt: skip
    row.judge()
    assert [v["met"] for v in row.verdicts] == [True, False, None]
    assert verdict(row) == "x PyTorch >= 1.3 met, x NumPy >= 0.9 MISSED, memory x <= 0.1 not measured"
    assert table([row])[0].split() == ["x", "NumPy", "x", "PyTorch", "target"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ops", "softmax"], "no op named 'softmax'"),
        (["--models", "bert-huge"], "bert-tiny, bert-mini"),
        (["--models", "roberta-tiny"], "gpt2-nano"),
        (["--models", "gpt2-nano", "--seq_len", "1"], "--seq_len must be at least 2"),
        (["--batch_size", "-1"], "--batch_size must be at least 1"),
        (["--repeat", "-1"], "--repeat must not be negative"),
        (["--seconds", "0"], "--seconds must be positive"),
        (["--threads", "-1"], "--threads must not be negative"),
        (["--dropout", "1"], "hidden_dropout_prob"),
        (["--json", "nosuch/bench.json"], "there is no such folder"),
    ],
)
def test_an_option_that_cannot_work(command, options, message):
    code, _, err = command(*options)
    assert code == 2
    assert len(err.splitlines()) == 1
    assert message in err


def test_threads_run_in_a_process_of_their_own(command, monkeypatch):
    """The options arrive as they were given, and every library is told how many threads it has."""
    calls = []

    class Done:
        returncode = 0

    monkeypatch.setattr(bench_command.subprocess, "run", lambda argv, env: calls.append((argv, env)) or Done)
    code, _, err = command("--threads", "2", "--ops", "adamw", "--models", "--dropout", "0", "--no_torch")
    assert code == 0, err
    ((argv, environment),) = calls
    assert argv[:4] == [sys.executable, "-m", "minibert", "bench"]
    line = " ".join(argv)
    assert "--ops adamw --models --batch_size 2" in line
    assert "--dropout 0.0" in line
    assert "--no_torch --global_batch 256" in line  # a flag has no value
    assert environment["NUMBA_NUM_THREADS"] == environment["OPENBLAS_NUM_THREADS"] == "2"


@pytest.mark.slow
def test_the_first_step_with_an_empty_cache(sizes):
    compiling, loading = cold.first_steps(sizes)
    assert compiling > 0
    assert loading > 0
