"""What cannot be learned from is said in one line, before a step is taken and before anything is written."""

import numpy as np
import pytest
from trainer_cases import arguments, examples, model, same

import minibert
from minibert import Trainer, TrainingArguments
from minibert.errors import ConfigError, DataError
from minibert.training.accumulation import accumulate
from minibert.tree import flatten, tree_map

ROWS = examples(16)
TOKENS = {"kind": minibert.BertForTokenClassification, "num_labels": 3}


def labelled(*labels):
    """The rows with other labels; the last one goes on."""
    labels = [*labels, *[labels[-1]] * (len(ROWS) - len(labels))]
    return [{**row, "label": label} for row, label in zip(ROWS, labels, strict=True)]


def tagged(*labels):
    return [{"input_ids": [5, 6, 7], "labels": row} for row in labels]


@pytest.mark.parametrize(
    ("rows", "fields", "message"),
    [
        (labelled(0, 1, 0, 2), {}, r"labels\[3\] is 2, but must be within 0\.\.1"),
        (labelled(0, 1, -1), {}, r"labels\[2\] is -1, but must be within 0\.\.1"),
        (labelled(1), {}, "all labels are 1: .* at least two classes"),
        (labelled(-100), {}, "none of the 16 labels is a target"),
        (labelled(0, None, 1), {}, "the label of example 1 is None, not a number"),
        (labelled(0, "good"), {}, "the label of example 1 is 'good', not a number"),
        (labelled(0, [0, 1]), {}, "labels have different shapes"),
        (labelled(0.5, float("nan")), {"num_labels": 1}, r"labels\[1, 0\] is nan"),
        (labelled([0, 1], [0, 3]), {"problem_type": "multi_label_classification"}, r"labels\[1, 1\] is 3, .* 0\.\.1"),
        (tagged([0, 1, -100], [2, 3, 0]), TOKENS, r"labels of example 1: labels\[1\] is 3, but must be within 0\.\.2"),
        (tagged([1, 1, -100], [-100, 1, 1]), TOKENS, "all labels are 1"),
        ([{**row, "input_ids": "a text"} for row in ROWS], {}, "input_ids of an example is 'a text', .* tokenize"),
        ([1, 2, 3], {}, "an example must be a dict of columns, but the first is a int"),
        ("a text", {}, "an example must be a dict of columns, but the first is a str"),
        (5, {}, "a dataset needs a length and an index"),
    ],
)
def test_data_that_cannot_be_learned_from(rows, fields, message, tmp_path):
    m = model(**fields)
    before = tree_map(np.copy, m.params)
    with pytest.raises(DataError, match=message) as error:
        Trainer(m, arguments(tmp_path / "out", save_strategy="epoch"), train_dataset=rows).train()
    assert "\n" not in str(error.value)
    assert same(before, m.params)
    assert not (tmp_path / "out").exists()


def test_a_label_that_is_unseen_at_evaluation(tmp_path):
    with pytest.raises(DataError, match=r"labels\[\d\] is 7, but must be within 0\.\.1"):
        Trainer(model(), arguments(tmp_path)).evaluate(labelled(7))


def test_one_example_may_be_learned_by_heart(tmp_path):
    m = model(dropout=0.0)
    Trainer(m, arguments(tmp_path, num_train_epochs=30), train_dataset=ROWS[:1]).train()
    assert m([ROWS[0]["input_ids"]], labels=[ROWS[0]["label"]]).loss < 0.1


def test_a_batch_without_a_target_has_loss_and_gradients_of_zero():
    """As parts of a step may be, where few tokens have labels."""
    m = model(**TOKENS)
    losses, grads = accumulate(m, [{"input_ids": np.array([[5, 6]]), "labels": np.array([[-100, -100]])}])
    assert losses.total == 0
    assert not any(gradient.any() for gradient in flatten(grads).values())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": "5e-5"}, "learning_rate must be a number, but is '5e-5'"),
        ({"learning_rate": None}, "learning_rate must be a number, but is None"),
        ({"num_train_epochs": "3"}, "num_train_epochs must be a number"),
        ({"per_device_train_batch_size": 8.5}, "per_device_train_batch_size must be an integer, but is 8.5"),
        ({"max_steps": 2.5}, "max_steps must be an integer"),
        ({"seed": "a"}, "seed must be an integer"),
        ({"save_total_limit": "2"}, "save_total_limit must be an integer"),
        ({"load_best_model_at_end": "no"}, "load_best_model_at_end must be True or False"),
    ],
)
def test_settings_of_another_type(options, message):
    with pytest.raises(ConfigError, match=message):
        TrainingArguments("out", **options)


def test_numbers_of_numpy_are_numbers():
    a = TrainingArguments("out", learning_rate=np.float32(0.5), max_steps=np.int64(3), eval_on_start=np.bool_(True))
    assert (a.learning_rate, a.max_steps, a.eval_on_start) == (0.5, 3, True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Trainer(None), "the model is a NoneType, which has no losses_and_grads"),
        (lambda: Trainer(model(), "out"), "args must be TrainingArguments, but is a str"),
        (lambda: Trainer(model(), {"seed": 1}), "args must be TrainingArguments, but is a dict"),
        (
            lambda: Trainer(model(), compute_metrics=lambda p: 0.5).evaluate(ROWS),
            r"must return a dict, \{name: number\}",
        ),
    ],
)
def test_what_is_no_model_no_arguments_and_no_metric(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_several_numbers_are_no_best_metric(tmp_path):
    a = arguments(tmp_path, eval_strategy="epoch", metric_for_best_model="each")
    trainer = Trainer(
        model(), a, train_dataset=ROWS, eval_dataset=ROWS, compute_metrics=lambda p: {"each": np.array([0.1, 0.9])}
    )
    with pytest.raises(ConfigError, match="eval_each, but that is several numbers"):
        trainer.train()


@pytest.mark.parametrize(
    ("encodings", "labels", "more", "message"),
    [
        (["a text", "another"], [0, 1], {}, "encodings and labels must be what a tokenizer returned"),
        ({"input_ids": [[5, 6]] * 2}, None, {}, "encodings and labels must be"),
        ({"input_ids": [[5, 6]] * 2}, ["bad", "good"], {}, "the label of example 0 is 'bad'"),
        ({"input_ids": [[5, 6]] * 2}, [0, 1], {"validation_data": [{"input_ids": [[5]]}]}, "validation_data must be"),
        ({"input_ids": [[5, 6]] * 4}, [0, 1], {}, "columns differ in length: input_ids has 4, labels has 2"),
    ],
)
def test_fit(encodings, labels, more, message):
    with pytest.raises(DataError, match=message):
        model().fit(encodings, labels, **more)
