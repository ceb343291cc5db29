"""A run that was interrupted and goes on ends with the bits of one that was never interrupted."""

import json
import signal
from pathlib import Path

import numba
import pytest

from minibert.models.base import Model

TIMES = ("tokens_per_second",)  # what no two runs share
LEARN = {
    "mlm+nsp": [],
    "mlm": ["--objective", "mlm", "--dropout", "0.1", "--batch_size", "12"],
    "mlm, full sentences": ["--model", "roberta-tiny", "--vocab_size", "300", "--batch_size", "17"],
    "clm": ["--model", "gpt2-nano", "--tokenizer", "char", "--dropout", "0.1", "--batch_size", "20"],
}


def ends_with(folder, step=8):
    """Weights, optimizer and log at the end of a run of so many steps."""
    records = [json.loads(line) for line in (Path(folder) / "log.jsonl").read_text().splitlines()]
    log = [{name: value for name, value in record.items() if name not in TIMES} for record in records]
    last = Path(folder) / f"checkpoint-{step}"
    files = (last / "model.safetensors", last / "optimizer.safetensors", Path(folder) / "model.safetensors")
    return log, *(path.read_bytes() for path in files)


OPTIONS = ["--max_steps", "8", "--eval_every", "3", "--log_every", "3", "--gradient_accumulation_steps", "2"]


def place(checkpoint):
    return json.loads((Path(checkpoint) / "progress.json").read_text())["data"]


@pytest.mark.parametrize("learn", LEARN)
def test_stopped_by_a_signal(pretrain, stop_at, learn):
    """In the first epoch and in a later one, between lines of the log."""
    more = [*OPTIONS, *LEARN[learn]]
    assert pretrain(*more, "--save_every", "4", out="whole").code == 0
    epochs = []
    for step in (1, 7):
        stop_at(step)
        stopped = pretrain(*more, out=f"after-{step}")
        assert stopped.code == 128 + signal.SIGTERM
        assert f"SIGTERM after step {step}: saved; go on with: minibert pretrain --resume" in stopped.err
        epochs.append(place(f"after-{step}/checkpoint-{step}")["epoch"])
        resumed = pretrain("--resume_from_checkpoint", *more, out=f"after-{step}")
        assert resumed.code == 0, resumed.err
        assert ends_with(f"after-{step}") == ends_with("whole")
    assert len(set(epochs)) > 1


@pytest.fixture
def die_in(monkeypatch):
    """Let the process die in the second of the two batches of a step, once."""

    def arm(step):
        right, calls = Model.losses_and_grads, []

        def die(*args):
            calls.append(1)
            if len(calls) == 2 * step:
                monkeypatch.setattr(Model, "losses_and_grads", right)
                raise RuntimeError("died")
            return right(*args)

        monkeypatch.setattr(Model, "losses_and_grads", die)

    return arm


@pytest.fixture
def interrupted(pretrain, stop_at, die_in):
    """A run that was stopped behind a step, or dies in the one after the next, and has gone on: its folder."""

    def run(more, step, dies=False):
        if dies:
            die_in(step + 1)
            with pytest.raises(RuntimeError, match="died"):
                pretrain(*more, "--save_every", str(step), out=f"died-{step}")
        else:
            stop_at(step)
            assert pretrain(*more, out=f"after-{step}").code == 143
        folder = f"died-{step}" if dies else f"after-{step}"
        assert sorted(path.name for path in Path(folder).glob("checkpoint-*"))[-1] == f"checkpoint-{step}"
        every = ["--save_every", str(step)] if dies else []
        assert pretrain("--resume_from_checkpoint", *more, *every, out=folder).code == 0
        return folder

    return run


def run_whole(pretrain, more):
    """A run that is not interrupted. Returns a step in the middle of its epoch, and one that ends its."""
    assert pretrain(*more, "--save_every", "1", "--save_total_limit", "0", out="whole").code == 0
    places = {step: place(f"whole/checkpoint-{step}") for step in range(1, 9)}
    # an epoch that has an even number of batches ends with a step
    last = [s for s in range(1, 8) if places[s + 1]["epoch"] > places[s]["epoch"] and places[s + 1]["taken"] == 2]
    middle = [s for s in range(2, 8) if places[s]["epoch"] == places[s + 1]["epoch"]]
    assert last, places
    assert middle, places
    return middle[-1], last[-1]


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("learn", LEARN)
def test_each_stop_on_both_backends_on_one_thread_and_two(pretrain, interrupted, learn, backend, threads):
    """In the middle of an epoch, at its end, and between the batches of a step."""
    if threads > numba.config.NUMBA_NUM_THREADS:
        pytest.skip("there is one core, or NUMBA_NUM_THREADS says so")
    more = [*OPTIONS, *LEARN[learn], "--backend", backend, "--blas_threads", str(threads)]

    allowed = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        middle, last = run_whole(pretrain, more)
        whole = ends_with("whole")
        for step, dies in ((middle, False), (last, False), (middle, True)):
            assert ends_with(interrupted(more, step, dies)) == whole, (step, dies)
    finally:
        numba.set_num_threads(allowed)


@pytest.mark.parametrize("learn", LEARN)
def test_killed_between_the_batches_of_a_step(pretrain, interrupted, learn):
    more = [*OPTIONS, *LEARN[learn]]
    assert pretrain(*more, out="whole").code == 0
    assert ends_with(interrupted(more, 4, dies=True)) == ends_with("whole")


@pytest.mark.parametrize("learn", LEARN)
def test_stopped_at_the_end_of_an_epoch(pretrain, interrupted, learn):
    more = [*OPTIONS, *LEARN[learn]]
    _, last = run_whole(pretrain, more)
    assert ends_with(interrupted(more, last)) == ends_with("whole")


def test_what_is_an_outlier_is_remembered(pretrain, interrupted):
    """The norms before the stop decide about steps after it."""
    more = [*OPTIONS, "--max_steps", "30", "--skip_outliers", "0.5"]
    assert pretrain(*more, out="whole").code == 0
    skipped = [record["step"] for record in ends_with("whole", 30)[0] if "skipped" in record]
    assert skipped
    assert ends_with(interrupted(more, skipped[-1] - 1), 30) == ends_with("whole", 30)


def test_the_command_that_goes_on_needs_no_options(pretrain, command, stop_at, tmp_path):
    """Those of the run are read from its checkpoint; the last run in runs/ is meant."""
    assert pretrain(*OPTIONS, out="whole").code == 0
    stop_at(4)
    assert pretrain(*OPTIONS, out=None).code == 143
    (tmp_path / "runs/bert-tiny-text").rename(tmp_path / "runs/bert-tiny-python-docs")
    assert command("pretrain", "--resume_from_checkpoint").code == 0
    assert ends_with("runs/bert-tiny-python-docs") == ends_with("whole")


def test_options_that_change_are_named_and_refused_unless_allowed(pretrain, command, stop_at, tmp_path):
    stop_at(4)
    assert pretrain(*OPTIONS).code == 143
    refused = command("pretrain", "--resume_from_checkpoint", "run", "--max_steps", "6", "--seed", "3")
    assert refused.code == 2
    assert "started with max_steps 8, seed 0, not with max_steps 6, seed 3" in refused.err
    harmless = command("pretrain", "--resume_from_checkpoint", "run/checkpoint-4", "--log_every", "1")
    assert harmless.code == 0
    assert "changed since the checkpoint: log_every 1 (before: log_every 3)" in harmless.err
    allowed = command("pretrain", "--resume_from_checkpoint", "run", "--max_steps", "9", "--allow_change")
    assert allowed.code == 0
    assert "max_steps 9 (before: max_steps 8)" in allowed.err
    assert (tmp_path / "run/checkpoint-9").is_dir()


def test_another_corpus_under_the_same_name_is_noticed(pretrain, text, stop_at):
    stop_at(4)
    assert pretrain(*OPTIONS).code == 143
    text.write_text(text.read_text().replace("dog", "cat"))
    refused = pretrain("--resume_from_checkpoint", *OPTIONS)
    assert refused.code == 2
    assert "the data are not those of the run" in refused.err


def test_a_damaged_checkpoint_is_passed_over_with_a_message(pretrain, tmp_path):
    assert pretrain(*OPTIONS, "--save_every", "3").code == 0
    before = ends_with("run")
    (tmp_path / "run/checkpoint-8/progress.json").write_text("{}")
    resumed = pretrain("--resume_from_checkpoint", *OPTIONS, "--save_every", "3")
    assert resumed.code == 0
    assert "checkpoint-8/progress.json: damaged, manifest.json says" in resumed.err
    assert "checkpoint-6 is taken instead, the newest good one" in resumed.err
    assert ends_with("run") == before


def test_nothing_to_go_on_from(pretrain, command):
    assert "there is no run to go on with" in command("pretrain", "--resume_from_checkpoint").err
    assert "no checkpoint to go on from" in command("pretrain", "--resume_from_checkpoint", "nowhere").err
    assert pretrain(*OPTIONS).code == 0
    refused = command("pretrain", "--resume_from_checkpoint", "run", "--output_dir", "elsewhere")
    assert "the run goes on in its own folder" in refused.err
