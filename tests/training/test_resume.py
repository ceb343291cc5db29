"""A fine-tuning run that goes on from a checkpoint ends with the bits of one that never stopped."""

import json
import os
import signal
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from task_cases import PROBLEMS, build, rows_of
from trainer_cases import accuracy, arguments, examples, model, same

import minibert
from minibert import EarlyStoppingCallback, LoraConfig, Trainer, TrainerCallback, get_peft_model
from minibert.errors import CheckpointError, ConfigError, DataError, TrainingError, TrainingStopped
from minibert.training.callbacks import TrainerState
from minibert.training.stop_signals import StopOnSignal
from minibert.tree import flatten

SPEEDS = ("second", "runtime")


@pytest.fixture(autouse=True)
def not_ignored():
    """What a shell starts in the background ignores SIGINT, and so would the tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Signal(TrainerCallback):
    """Sends this process a signal in the course of a step."""

    def __init__(self, step, number=signal.SIGINT):
        self.step, self.number = step, number

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step + 1 == self.step:
            os.kill(os.getpid(), self.number)


def trainer(folder, m=None, callbacks=(), **options):
    """21 examples in batches of 4 are 6, so an epoch is 3 steps of 2: steps 3, 6, 9 end one."""
    options = {
        "save_strategy": "epoch", "eval_strategy": "epoch", "logging_steps": 2, "num_train_epochs": 3,
        "per_device_train_batch_size": 4, "gradient_accumulation_steps": 2, "warmup_steps": 2, "weight_decay": 0.1,
        "lr_scheduler_type": "cosine", **options,
    }  # fmt: skip
    m = model() if m is None else m
    data = {"train_dataset": examples(21), "eval_dataset": examples(8, 1)}
    return Trainer(m, arguments(folder, **options), compute_metrics=accuracy, callbacks=callbacks, **data)


def outcome(t):
    """Log, parameters and optimizer."""
    log = [{k: v for k, v in r.items() if not any(s in k for s in SPEEDS)} for r in t.state.log_history]
    file = [json.loads(line) for line in (Path(t.args.output_dir) / "log.jsonl").read_text().splitlines()]
    assert file == t.state.log_history
    return log, flatten(t.model.params), t.handler.context["optimizer"].state(), t.state.best_metric


def assert_equal(one, other):
    assert (one[0], one[3]) == (other[0], other[3])
    for a, b in zip(one[1:3], other[1:3], strict=True):
        assert a.keys() == b.keys()
        for name, array in a.items():
            np.testing.assert_array_equal(array, b[name], err_msg=name, strict=True)


def interrupted(folder, step, make=model, number=signal.SIGINT, **options):
    """Stop after `step`, and go on with another model: its weights are to come from the checkpoint."""
    with pytest.raises(TrainingStopped, match=f"after step {step}: saved; go on with"):
        trainer(folder, make(), [Signal(step, number)], **options).train()
    other = make()
    for array in flatten(other.params).values():
        if array.flags.writeable:
            array += 1
    resumed = trainer(folder, other, **options)
    resumed.train(resume_from_checkpoint=True)
    return resumed


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_stopped_in_an_epoch_and_at_its_end(tmp_path, backend):
    with minibert.backend(backend):
        whole = trainer(tmp_path / "whole")
        whole.train()
        for step in (1, 3, 5):
            resumed = interrupted(tmp_path / str(step), step, number=signal.SIGTERM)
            assert_equal(outcome(resumed), outcome(whole))


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_head(tmp_path, name):
    """6 steps in 3 epochs, stopped within the second."""

    def trainer(folder, *callbacks):
        m, batch = build(name)
        options = {"num_train_epochs": 3, "per_device_train_batch_size": 2, "save_strategy": "steps", "save_steps": 100}
        return Trainer(m, arguments(tmp_path / folder, **options), train_dataset=rows_of(batch), callbacks=callbacks)

    whole = trainer("whole")
    whole.train()
    with pytest.raises(TrainingStopped, match="after step 3: saved"):
        trainer("run", Signal(3)).train()
    resumed = trainer("run")
    resumed.train(resume_from_checkpoint=True)
    assert_equal(outcome(resumed), outcome(whole))


def adapted():
    return get_peft_model(model(), LoraConfig(r=2, lora_alpha=4))


def test_an_adapter(tmp_path):
    whole = trainer(tmp_path / "whole", adapted())
    whole.train()
    with pytest.raises(TrainingStopped):
        trainer(tmp_path / "run", adapted(), [Signal(4)]).train()
    resumed = trainer(tmp_path / "run", adapted())
    resumed.train(resume_from_checkpoint=tmp_path / "run" / "checkpoint-4")
    assert_equal(outcome(resumed), outcome(whole))


def test_the_best_model_and_patience_are_remembered(tmp_path):
    """Whatever was best before the stop is loaded at the end, and failures before it count."""
    options = {"load_best_model_at_end": True, "metric_for_best_model": "accuracy", "num_train_epochs": 6}
    whole = trainer(tmp_path / "whole", callbacks=[EarlyStoppingCallback(2)], learning_rate=1e-5, **options)
    whole.train()
    assert (whole.state.best_global_step, whole.state.global_step) == (3, 9)  # two epochs without improvement
    stopping = [EarlyStoppingCallback(2), Signal(7)]
    with pytest.raises(TrainingStopped):
        trainer(tmp_path / "run", callbacks=stopping, learning_rate=1e-5, **options).train()
    moved = tmp_path / "moved"
    (tmp_path / "run").rename(moved)
    resumed = trainer(moved, callbacks=[EarlyStoppingCallback(2)], learning_rate=1e-5, **options)
    resumed.train(resume_from_checkpoint=True)
    assert_equal(outcome(resumed), outcome(whole))
    assert resumed.state.best_model_checkpoint == str(moved / "checkpoint-3")


def test_the_oldest_go_but_not_the_best_also_after_the_run_went_on(tmp_path):
    options = {"save_total_limit": 2, "save_strategy": "steps", "save_steps": 1}
    with pytest.raises(TrainingStopped):
        trainer(tmp_path, callbacks=[Signal(4)], **options).train()
    assert {path.name for path in tmp_path.glob("checkpoint-*")} == {"checkpoint-3", "checkpoint-4"}
    trainer(tmp_path, **options).train(resume_from_checkpoint=True)
    assert {path.name for path in tmp_path.glob("*checkpoint-*")} == {"checkpoint-8", "checkpoint-9"}


def test_a_damaged_checkpoint_is_passed_over_with_a_message(tmp_path):
    trainer(tmp_path / "whole").train()
    damaged = tmp_path / "whole" / "checkpoint-9" / "optimizer.safetensors"
    data = bytearray(damaged.read_bytes())
    data[-1] ^= 1
    damaged.write_bytes(data)
    resumed = trainer(tmp_path / "whole")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        resumed.train(resume_from_checkpoint=True)
    said = [str(warning.message) for warning in caught]
    assert "optimizer.safetensors: damaged" in said[0]
    assert said[1] == f"{tmp_path / 'whole' / 'checkpoint-6'} is taken instead, the newest good one"
    fresh = trainer(tmp_path / "fresh")
    fresh.train()
    assert_equal(outcome(resumed), outcome(fresh))


def stopped(folder):
    with pytest.raises(TrainingStopped):
        trainer(folder, callbacks=[Signal(4)]).train()
    return folder


def test_changed_arguments_are_named_and_refused_unless_allowed(tmp_path):
    folder = stopped(tmp_path / "run")
    changed = {"learning_rate": 0.5, "seed": 7, "logging_steps": 5}
    with pytest.raises(ConfigError, match=r"with learning_rate 0.01, seed 42, not with learning_rate 0.5, seed 7"):
        trainer(folder, **changed).train(resume_from_checkpoint=True)
    with pytest.warns(UserWarning, match=r"since the checkpoint: logging_steps 5, .* \(before: logging_steps 2"):
        trainer(folder, logging_steps=5).train(resume_from_checkpoint=folder / "checkpoint-4")
    folder = stopped(tmp_path / "another")
    with pytest.warns(UserWarning, match=r"learning_rate 0.5, logging_steps 5, .*seed 7 \(before"):
        trainer(folder, **changed).train(resume_from_checkpoint=folder / "checkpoint-4", allow_change=True)


def test_other_data_are_noticed(tmp_path):
    folder = stopped(tmp_path / "run")
    other = trainer(folder)
    other.train_dataset = examples(21, seed=9)
    with pytest.raises(DataError, match="the data are not those of the run: batch 1 of epoch 1 is another one"):
        other.train(resume_from_checkpoint=True)
    other.train(resume_from_checkpoint=True, allow_change=True)
    assert other.state.global_step == 9


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    folder = stopped(tmp_path / "run")
    with pytest.raises(CheckpointError, match=r"expected shape|missing|in the model only|here"):
        trainer(folder, model(dtype="float64")).train(resume_from_checkpoint=True)
    with pytest.raises(CheckpointError, match="no checkpoint to go on from"):
        trainer(tmp_path / "nowhere").train(resume_from_checkpoint=True)


def test_the_best_checkpoint_is_checked_too(tmp_path):
    options = {"load_best_model_at_end": True, "metric_for_best_model": "accuracy", "learning_rate": 1e-5}
    with pytest.raises(TrainingStopped):
        trainer(tmp_path, callbacks=[Signal(7)], **options).train()
    (tmp_path / "checkpoint-3" / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"checkpoint-3.config.json: damaged"):
        trainer(tmp_path, **options).train(resume_from_checkpoint=True)


def test_a_run_that_skips_too_many_steps_names_the_last_good_checkpoint(tmp_path):
    m, right = model(), model().losses_and_grads
    calls = []

    def explode(batch, *args):
        losses, grads = right(batch, *args)
        calls.append(1)
        return (losses._replace(total=np.nan), grads) if len(calls) > 7 else (losses, grads)

    m.losses_and_grads = explode
    with pytest.raises(TrainingError, match=r"step 5: the loss is nan.*the last good checkpoint is .*checkpoint-3"):
        trainer(tmp_path, m, max_skipped_steps=2).train()


def test_checkpoints_open_as_models_and_hold_json_and_tensors_only(tmp_path):
    folder = stopped(tmp_path / "run") / "checkpoint-4"
    opened = minibert.BertForSequenceClassification.from_pretrained(folder)
    assert TrainerState.load_from_json(folder / "trainer_state.json").global_step == 4
    assert {path.suffix for path in folder.iterdir()} == {".json", ".safetensors"}
    assert not same(opened.params, model().params)


def test_the_first_signal_is_noted_the_second_does_what_it_always_did():
    heard = []
    before = signal.signal(signal.SIGTERM, lambda *args: heard.append("as always"))
    try:
        with StopOnSignal() as stop:
            signal.raise_signal(signal.SIGTERM)
            assert (stop.received, heard) == (signal.SIGTERM, [])
            signal.raise_signal(signal.SIGTERM)
            assert heard == ["as always"]
        with StopOnSignal():
            signal.raise_signal(signal.SIGINT)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert heard == ["as always"] * 2  # given back behind the block
    finally:
        signal.signal(signal.SIGTERM, before)


def test_in_another_thread_signals_are_left_alone(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def work():
        with StopOnSignal():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
