"""Names and defaults of `TrainingArguments`, and what is said about others."""

import copy
import dataclasses
import inspect
import pickle

import numpy as np
import pytest

from minibert import TrainingArguments
from minibert.errors import ConfigError
from minibert.training.argument_names import NOT_HERE, RENAMED
from minibert.training.schedule import SCHEDULES

OURS = {"l1", "max_skipped_steps", "skip_outliers"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("evaluation_strategy", "eval_strategy"),
        ("no_cuda", "use_cpu"),
        ("per_gpu_train_batch_size", "per_device_train_batch_size"),
        ("group_by_length", "train_sampling_strategy"),
        ("warmup_ratio", "warmup_steps"),
    ],
)
def test_an_old_name_is_answered_with_the_new_one(old, new):
    with pytest.raises(ConfigError, match=f"{old} is now called {new}"):
        TrainingArguments("out", **{old: 1})


def test_an_unknown_name_is_answered_with_close_ones():
    with pytest.raises(ConfigError, match=r"no learnin_rate; did you mean learning_rate"):
        TrainingArguments("out", learnin_rate=1e-3)
    with pytest.raises(ConfigError, match=r"TrainingArguments has no xyzzy$"):
        TrainingArguments("out", xyzzy=1)


def test_what_asks_for_nothing_is_taken_and_what_cannot_be_is_refused():
    args = TrainingArguments("out", report_to=[], fp16=False, push_to_hub=False, use_cpu=True, optim="adamw_torch")
    assert (args.report_to, args.fp16, args.optim) == ("none", False, "adamw_torch")
    for argument in ("xyzzy", "logging_dir"):
        assert not hasattr(args, argument)
    assert copy.copy(args) == pickle.loads(pickle.dumps(args)) == args
    with pytest.raises(ConfigError, match="fp16=True is not possible with minibert: it computes on a CPU; leave"):
        TrainingArguments("out", fp16=True)
    with pytest.raises(ConfigError, match=r"report_to='wandb' is not possible with minibert: the log is log\.jsonl"):
        TrainingArguments("out", report_to="wandb")
    with pytest.raises(ConfigError, match=r"logging_dir is gone: the log is log\.jsonl"):
        TrainingArguments("out", logging_dir="logs")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eval_strategy": "sometimes"}, "eval_strategy must be one of no, steps, epoch"),
        ({"lr_scheduler_type": "polynomial"}, "lr_scheduler_type must be one of linear, cosine"),
        ({"per_device_train_batch_size": 0}, "per_device_train_batch_size must be at least 1"),
        ({"learning_rate": -1}, "learning_rate must not be negative"),
        ({"adam_beta1": 1.0}, "adam_beta1 must be at least 0 and less than 1"),
        ({"num_train_epochs": 0}, "num_train_epochs must be positive"),
        ({"save_total_limit": 0}, "save_total_limit must be at least 1"),
        ({"logging_steps": 0}, "logging_steps must be positive"),
        ({"load_best_model_at_end": True}, "set eval_strategy"),
        ({"load_best_model_at_end": True, "eval_strategy": "epoch"}, "set save_strategy to 'epoch' or 'best'"),
        (
            {"load_best_model_at_end": True, "eval_strategy": "steps", "eval_steps": 100},
            "save_steps is 500, eval_steps 100",
        ),
    ],
)
def test_values_that_cannot_work(options, message):
    with pytest.raises(ConfigError, match=message):
        TrainingArguments("out", **options)


def test_what_follows_from_the_rest():
    a = TrainingArguments(eval_strategy="epoch", save_strategy="epoch", load_best_model_at_end=True)
    assert (a.output_dir, a.metric_for_best_model, a.greater_is_better) == ("trainer_output", "loss", False)
    assert TrainingArguments("out", metric_for_best_model="f1").greater_is_better
    assert TrainingArguments("out", logging_steps=7).eval_steps == 7
    assert TrainingArguments("out", warmup_steps=0.1).get_warmup_steps(95) == 10
    assert "learning_rate" in inspect.signature(TrainingArguments).parameters


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_rise_to_the_peak_and_do_not_rise_after(name):
    rates = np.array([SCHEDULES[name](step, 2.0, 4, 10) for step in range(1, 11)])
    if name != "constant":
        np.testing.assert_allclose(rates[:4], [0.5, 1.0, 1.5, 2.0])
    assert rates.max() == 2.0
    assert (np.diff(rates[3:]) <= 0).all()
    assert (rates[3:] > 0).all()
    np.testing.assert_allclose(rates[3:], EXPECTED.get(name, rates[3:]))


EXPECTED = {
    "linear": 2 * (1 - np.arange(7) / 7),
    "cosine": 1 + np.cos(np.pi * np.arange(7) / 7),
    "constant": np.full(7, 2.0),
    "constant_with_warmup": np.full(7, 2.0),
    "inverse_sqrt": 2 * np.sqrt(4 / np.arange(4, 11)),
}


@pytest.mark.oracle
def test_names_and_defaults_are_those_of_hugging_face():
    transformers = pytest.importorskip("transformers")
    theirs = {field.name: field.default for field in dataclasses.fields(transformers.TrainingArguments)}
    ours = {field.name: field.default for field in dataclasses.fields(TrainingArguments)}
    assert ours.keys() - theirs.keys() == OURS
    for name in ours.keys() - OURS:
        assert ours[name] == theirs[name], name
    assert NOT_HERE.keys() <= theirs.keys() - ours.keys()
    assert not RENAMED.keys() & theirs.keys()


@pytest.mark.oracle
def test_each_of_their_arguments_may_be_given_with_its_default():
    """Code that spells everything out runs: what is not here is not asked for. A newer release may know more."""
    transformers = pytest.importorskip("transformers")
    ours = {field.name for field in dataclasses.fields(TrainingArguments)}
    values = {}
    for field in dataclasses.fields(transformers.TrainingArguments):
        made = field.default_factory is not dataclasses.MISSING
        values[field.name] = field.default_factory() if made else field.default
    known = {name: value for name, value in values.items() if name in ours | NOT_HERE.keys()}
    assert len(known) > 100
    assert TrainingArguments(**known) == TrainingArguments()
