"""A fine-tuning that was stopped and goes on ends with the bits of one that never stopped."""

import json
import signal

import numpy as np
import pytest
from finetune_cases import ROWS, checkpoint, write_csv
from safetensors.numpy import load_file

TIMES = ("tokens_per_second", "train_runtime", "train_samples_per_second", "train_steps_per_second", "eval_runtime")
TIMES += ("eval_samples_per_second", "eval_steps_per_second")
OPTIONS = ["--learning_rate", "5e-3", "--max_steps", "12", "--batch_size", "4", "--save_every", "3"]


@pytest.fixture
def finetune(command, tmp_path):
    """`minibert finetune` on a small checkpoint, 12 steps in 2 epochs."""
    checkpoint(tmp_path / "base")
    write_csv(tmp_path / "films.csv")

    def run(*more, out="out", model="base"):
        return command("finetune", model, "--data", "films.csv", "--output_dir", out, *OPTIONS, *more)

    return run


def weights(folder):
    return {p.name: load_file(p) for p in folder.glob("*.safetensors")}


def assert_same(a, b):
    """The weights and what was measured, to the bit; the log but for its times."""
    ours, theirs = weights(a), weights(b)
    assert ours.keys() == theirs.keys() != set()
    for name, tensors in ours.items():
        assert tensors.keys() == theirs[name].keys()
        for key, tensor in tensors.items():
            np.testing.assert_array_equal(tensor, theirs[name][key], err_msg=key)
    results, others = (json.loads((f / "results.json").read_text())["metrics"] for f in (a, b))
    assert results == others
    logs = [[json.loads(line) for line in (f / "log.jsonl").read_text().splitlines()] for f in (a, b)]
    without = [[{k: v for k, v in record.items() if k not in TIMES} for record in log] for log in logs]
    assert without[0] == without[1] != []


@pytest.mark.parametrize("method", ["full", "head", "features", "lora", "prompt", "bias"])
def test_stopped_by_a_signal(finetune, stop_at, tmp_path, method):
    """Between checkpoints; in the first epoch and in the second. The result has no checkpoints left."""
    assert finetune("--method", method, out="whole").code == 0
    assert not (tmp_path / "whole" / "checkpoints").exists()
    for step in (2, 10):
        stop_at(step)
        stopped = finetune("--method", method)
        assert stopped.code == 128 + signal.SIGTERM
        assert f"SIGTERM after step {step}: saved; go on with: minibert finetune base --resume" in stopped.err
        assert not (tmp_path / "out" / "results.json").exists()
        resumed = finetune("--method", method, "--resume_from_checkpoint")
        assert resumed.code == 0, resumed.err
        assert_same(tmp_path / "out", tmp_path / "whole")
        assert not (tmp_path / "out" / "checkpoints").exists()
        again = finetune("--method", method, "--resume_from_checkpoint")
        assert again.code == 2
        assert "no checkpoint to go on from" in again.err
        for path in (tmp_path / "out").iterdir():
            path.unlink()


def test_died_and_goes_on_without_options(finetune, command, stop_at, tmp_path):
    assert finetune("--label_smoothing", "0.1", out="whole").code == 0
    stop_at(8, None)
    with pytest.raises(RuntimeError, match="died"):
        finetune("--label_smoothing", "0.1")
    kept = sorted(p.name for p in (tmp_path / "out" / "checkpoints").glob("checkpoint-*"))
    assert kept == ["checkpoint-3", "checkpoint-6"]
    resumed = command("finetune", "base", "--resume_from_checkpoint", "out")
    assert resumed.code == 0, resumed.err
    assert_same(tmp_path / "out", tmp_path / "whole")


def test_early_stopping_remembers(finetune, stop_at, tmp_path):
    """The best evaluation, and how many since were worse, are those of the whole run."""
    more = ["--patience", "2", "--max_steps", "36", "--save_every", "5", "--eval_data", "films.csv"]
    assert finetune(*more, out="whole").code == 0
    stop_at(23)
    assert finetune(*more).code == 128 + signal.SIGTERM
    resumed = finetune(*more, "--resume_from_checkpoint")
    assert resumed.code == 0, resumed.err
    assert_same(tmp_path / "out", tmp_path / "whole")


def test_a_stopped_run_is_not_overwritten_unasked(finetune, stop_at, tmp_path):
    stop_at(5)
    assert finetune().code == 128 + signal.SIGTERM
    refused = finetune()
    assert refused.code == 2
    assert "holds a run that was stopped; go on with it (--resume_from_checkpoint out)" in refused.err
    assert finetune("--overwrite").code == 0
    assert (tmp_path / "out" / "results.json").exists()


def test_what_would_change_the_weights_is_refused(finetune, stop_at, tmp_path):
    stop_at(5)
    assert finetune().code == 128 + signal.SIGTERM
    changed = finetune("--resume_from_checkpoint", "--label_smoothing", "0.2")
    assert changed.code == 2
    assert "the run was started with label_smoothing 0.0, not with label_smoothing 0.2" in changed.err
    write_csv(tmp_path / "films.csv", [(text, 1 - label) for text, label in ROWS])
    others = finetune("--resume_from_checkpoint")
    assert others.code == 2
    assert "the data are not those of the run" in others.err
    assert finetune("--resume_from_checkpoint", "--allow_change", "--save_every", "4").code == 0


def test_a_run_that_fails_before_its_first_checkpoint_leaves_nothing(finetune, stop_at, tmp_path):
    stop_at(2, None)
    with pytest.raises(RuntimeError, match="died"):
        finetune(out="new/out")
    assert not (tmp_path / "new").exists()
