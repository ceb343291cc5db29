"""`Trainer` on a task that can be learned in seconds."""

import json
import math

import numpy as np
import pytest
from trainer_cases import accuracy, arguments, examples, model, same

import minibert
from minibert import DataCollatorWithPadding, EarlyStoppingCallback, Trainer, TrainerCallback
from minibert.errors import ConfigError, DataError
from minibert.finetuning.peft_config import LoraConfig
from minibert.finetuning.peft_model import PeftModel, get_peft_model
from minibert.frozen import trainable
from minibert.training.callbacks import TrainerState
from minibert.training.fit import fit
from minibert.training.loop import take_step
from minibert.training.optimizer import AdamW
from minibert.training.plan import loop_settings, step_batches
from minibert.tree import flatten, tree_map


class Recorder(TrainerCallback):
    """Remembers the name and the step of each event."""

    def __init__(self):
        self.events = []

    def __getattribute__(self, name):
        if name.startswith("on_"):
            return lambda args, state, control, **kwargs: self.events.append((name, state.global_step))
        return super().__getattribute__(name)


class Metric:
    """`compute_metrics` that says what it is told to, one number an evaluation."""

    def __init__(self, *values):
        self.values = list(values)

    def __call__(self, prediction):
        return {"quality": self.values.pop(0)}


def run(folder, m=None, callbacks=None, metric=accuracy, n=32, **options):
    m = m or model()
    trainer = Trainer(
        m, arguments(folder, **options), train_dataset=examples(n), eval_dataset=examples(20, 1),
        compute_metrics=metric, callbacks=callbacks,
    )  # fmt: skip
    return trainer, trainer.train()


def test_a_separable_task_is_learned(tmp_path):
    trainer, out = run(tmp_path, n=160, num_train_epochs=6, logging_strategy="epoch")
    losses = [record["loss"] for record in trainer.state.log_history if "loss" in record]
    assert len(losses) == 6
    assert losses[0] > 0.6
    assert losses[-1] < 0.1
    metrics = trainer.evaluate()
    assert metrics["eval_accuracy"] >= 0.9
    assert metrics["eval_loss"] < 0.3
    step, training_loss, _ = out
    assert step == 6 * 160 / 8 == trainer.state.global_step
    assert training_loss == pytest.approx(np.mean(losses), rel=1e-12)  # epochs have the same number of steps
    assert list(tmp_path.iterdir()) == []  # save_strategy="no"


def test_the_same_seed_gives_the_same_bits_and_another_does_not(tmp_path):
    runs = [run(tmp_path, seed=seed)[0].model.params for seed in (1, 1, 2)]
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])
    order_of_1 = run(tmp_path, seed=2, data_seed=1)[0].model.params
    assert not same(order_of_1, runs[0])  # other dropout
    assert not same(order_of_1, runs[2])  # other order


def test_accumulated_steps_are_those_of_the_large_batch(tmp_path):
    # Dropout would differ, for it is drawn by batch; 30 examples leave a last step of fewer parts.
    settings = {"num_train_epochs": 3, "train_sampling_strategy": "sequential", "weight_decay": 0.1}
    whole, parts = (model(dtype="float64", dropout=0.0) for _ in range(2))
    run(tmp_path, whole, n=30, per_device_train_batch_size=12, **settings)
    trainer, _ = run(tmp_path, parts, n=30, per_device_train_batch_size=4, gradient_accumulation_steps=3, **settings)
    assert trainer.state.global_step == 9
    for name, array in flatten(whole.params).items():
        # AdamW divides by the gradient's size, so that a difference of 1e-16 in a gradient that is nearly 0 grows.
        np.testing.assert_allclose(array, flatten(parts.params)[name], rtol=0, atol=1e-9, err_msg=name)


def test_parts_of_a_run_never_share_their_dropout(tmp_path):
    keys, m = [], model()
    original = m.losses_and_grads
    m.losses_and_grads = lambda batch, dropout, counts: (keys.append(dropout), original(batch, dropout, counts))[1]
    run(tmp_path, m, n=30, per_device_train_batch_size=4, gradient_accumulation_steps=3, seed=5)
    assert len(keys) == 2 * 8 == len(set(keys))
    assert {seed for seed, _ in keys} == {5}


def test_the_loop_is_that_of_the_optimizer_and_the_schedule(tmp_path):
    """Steps by hand, from the public pieces."""
    m, by_hand = model(), model()
    a = arguments(tmp_path, warmup_steps=2, weight_decay=0.1, adam_beta2=0.98, max_grad_norm=0.5)
    Trainer(m, a, train_dataset=examples(32)).train()
    optimizer = AdamW(by_hand.params, weight_decay=0.1, betas=(0.9, 0.98))
    rates = [0.5, *(1 - i / 7 for i in range(7))]
    shown = minibert.training.examples.Examples(examples(32), {"input_ids", "attention_mask", "labels"})
    steps = step_batches(a, shown, DataCollatorWithPadding())
    for step, rate in enumerate(rates, 1):
        take_step(by_hand, optimizer, next(steps), 1e-2 * rate, loop_settings(a, 32), step)
    for name, array in flatten(m.params).items():
        np.testing.assert_allclose(array, flatten(by_hand.params)[name], rtol=1e-6, atol=1e-8)


def test_the_best_model_is_loaded_at_the_end_and_its_checkpoint_is_kept(tmp_path):
    trainer, _ = run(
        tmp_path, metric=Metric(0.1, 0.9, 0.3, 0.2), num_train_epochs=4, eval_strategy="epoch", save_strategy="epoch",
        save_total_limit=2, load_best_model_at_end=True, metric_for_best_model="quality",
    )  # fmt: skip
    state = trainer.state
    assert (state.best_metric, state.best_global_step) == (0.9, 8)
    assert sorted(folder.name for folder in tmp_path.glob("checkpoint-*")) == ["checkpoint-16", "checkpoint-8"]
    assert state.best_model_checkpoint == str(tmp_path / "checkpoint-8")
    best = minibert.BertForSequenceClassification.from_pretrained(tmp_path / "checkpoint-8")
    last = minibert.BertForSequenceClassification.from_pretrained(tmp_path / "checkpoint-16")
    assert same(trainer.model.params, best.params)
    assert not same(last.params, best.params)
    saved = TrainerState.load_from_json(tmp_path / "checkpoint-16" / "trainer_state.json")
    assert (saved.global_step, saved.best_metric, saved.epoch) == (16, 0.9, 4)
    assert saved.log_history == state.log_history[: len(saved.log_history)]


@pytest.mark.parametrize(("limit", "kept"), [(1, [1, 4]), (2, [1, 4]), (3, [1, 3, 4]), (None, [1, 2, 3, 4])])
def test_the_limit_keeps_the_newest_and_the_best(tmp_path, limit, kept):
    run(
        tmp_path, metric=Metric(0.1, 0.2, 0.3, 0.4), num_train_epochs=4, eval_strategy="epoch", save_strategy="epoch",
        save_total_limit=limit, load_best_model_at_end=True, metric_for_best_model="quality", greater_is_better=False,
    )  # fmt: skip
    assert {folder.name for folder in tmp_path.glob("checkpoint-*")} == {f"checkpoint-{4 * k}" for k in kept}


def test_save_strategy_best_saves_what_is_better_than_all_before(tmp_path):
    run(
        tmp_path, metric=Metric(0.1, 0.3, 0.2, 0.4), num_train_epochs=4, eval_strategy="epoch", save_strategy="best",
        metric_for_best_model="quality",
    )  # fmt: skip
    assert {folder.name for folder in tmp_path.glob("checkpoint-*")} == {f"checkpoint-{4 * k}" for k in (1, 2, 4)}


@pytest.mark.parametrize(
    ("patience", "threshold", "values", "epochs"),
    [
        (1, 0.0, (0.5, 0.6, 0.6), 3),
        (2, 0.0, (0.5, 0.4, 0.3), 3),
        (2, 0.0, (0.5, 0.4, 0.6, 0.5, 0.5), 5),  # an improvement begins the count anew
        (1, 0.2, (0.5, 0.6), 2),  # not enough of an improvement
        (2, 0.0, (0.1, 0.2, 0.3, 0.4, 0.5, 0.6), 6),
    ],
)
def test_early_stopping_stops_when_the_metric_stops_improving(tmp_path, patience, threshold, values, epochs):
    stop = EarlyStoppingCallback(early_stopping_patience=patience, early_stopping_threshold=threshold)
    trainer, out = run(
        tmp_path, metric=Metric(*values), callbacks=[stop], num_train_epochs=6, eval_strategy="epoch",
        metric_for_best_model="quality",
    )  # fmt: skip
    assert trainer.state.epoch == epochs
    assert out.metrics["epoch"] == epochs
    assert "train_loss" in trainer.state.log_history[-1]


def test_early_stopping_without_evaluations_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="metric_for_best_model"):
        run(tmp_path, callbacks=[EarlyStoppingCallback()])


def test_callbacks_hear_of_everything_in_order_and_can_stop(tmp_path):
    recorder = Recorder()
    options = {"eval_strategy": "epoch", "save_strategy": "epoch", "logging_strategy": "epoch", "num_train_epochs": 1}
    run(tmp_path, callbacks=[recorder], n=16, **options)
    assert recorder.events == [
        ("on_train_begin", 0), ("on_epoch_begin", 0), ("on_step_begin", 0), ("on_step_end", 1), ("on_step_begin", 1),
        ("on_step_end", 2), ("on_epoch_end", 2), ("on_log", 2), ("on_log", 2), ("on_evaluate", 2), ("on_save", 2),
        ("on_log", 2), ("on_train_end", 2),
    ]  # fmt: skip

    class Stop(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            control.should_evaluate = control.should_training_stop = state.global_step == 3

    trainer, _ = run(tmp_path, callbacks=[Stop], num_train_epochs=5)
    assert trainer.state.global_step == 3
    assert [r["step"] for r in trainer.state.log_history if "eval_loss" in r] == [3]


def test_steps_of_logs_evaluations_and_checkpoints(tmp_path):
    trainer, _ = run(
        tmp_path, max_steps=7, logging_steps=2, eval_strategy="steps", eval_steps=3, save_strategy="steps", save_steps=4
    )
    history = trainer.state.log_history
    assert [r["step"] for r in history if "loss" in r] == [2, 4, 6, 7]
    assert [r["step"] for r in history if "eval_loss" in r] == [3, 6, 7]
    assert {folder.name for folder in tmp_path.glob("checkpoint-*")} == {"checkpoint-4", "checkpoint-7"}
    assert history[0]["epoch"] == 0.5
    assert [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()] == history


def test_a_share_of_the_steps_is_a_number_of_steps(tmp_path):
    trainer, _ = run(tmp_path, num_train_epochs=2.5, logging_steps=0.25, warmup_steps=0.3)
    history = [record for record in trainer.state.log_history if "loss" in record]
    assert [record["step"] for record in history] == [3, 6, 9, 10]
    assert history[0]["learning_rate"] == 1e-2  # reached at step 3


def test_label_smoothing_is_in_the_loss_of_training_and_evaluation(tmp_path):
    smooth, plain = model(dropout=0.0), model(dropout=0.0)
    options = {"max_steps": 1, "logging_steps": 1, "per_device_train_batch_size": 32, "learning_rate": 0.0}
    trainer, out = run(tmp_path, smooth, label_smoothing_factor=0.2, **options)
    _, without = run(tmp_path, plain, **options)
    rows = examples(32)
    logits = Trainer(plain, arguments(tmp_path)).predict(rows).predictions
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    at_label = log_p[np.arange(32), [row["label"] for row in rows]]
    assert without.training_loss == pytest.approx(-at_label.mean(), rel=1e-5)
    assert out.training_loss == pytest.approx(-(0.8 * at_label + 0.2 * log_p.mean(-1)).mean(), rel=1e-5)
    assert trainer.evaluate(rows)["eval_loss"] == pytest.approx(out.training_loss, rel=1e-5)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_l1_makes_zeros_and_stays_off_biases(tmp_path, backend):
    sparse, dense = model(), model()
    with minibert.backend(backend):
        run(tmp_path, sparse, l1=3.0)
        run(tmp_path, dense)
    share = {name: (array == 0).mean() for name, array in flatten(sparse.params).items()}
    assert share["embeddings.token"] > 0.5
    assert (flatten(dense.params)["embeddings.token"] == 0).mean() == 0
    assert all(share[name] == 0 for name, array in flatten(sparse.params).items() if name.endswith("beta"))


def test_parameters_without_gradient_keep_their_bits():
    m = model()
    before, (_, grads) = tree_map(np.copy, m.params), m.loss_and_grads(input_ids=[[5, 6]], labels=[1])
    frozen = {"embeddings": None, "encoder": grads["encoder"], "pooler": {"weight": grads["pooler"]["weight"]}}
    frozen["embeddings"] = dict.fromkeys(grads["embeddings"])
    AdamW(m.params, weight_decay=0.5, l1=0.1).step(frozen, max_grad_norm=0.1)
    assert same(before["embeddings"], m.params["embeddings"])
    assert same(before["task_head"], m.params["task_head"])
    assert np.array_equal(before["pooler"]["bias"], m.params["pooler"]["bias"])
    assert not np.array_equal(before["pooler"]["weight"], m.params["pooler"]["weight"])


def test_predictions_are_in_the_order_of_the_dataset(tmp_path):
    m, rows = model(), examples(21)
    trainer = Trainer(m, arguments(tmp_path, per_device_eval_batch_size=4))
    predictions, label_ids, metrics = trainer.predict(rows)
    assert label_ids.tolist() == [row["label"] for row in rows]
    for row, logits in zip(rows, predictions, strict=True):
        np.testing.assert_allclose(logits, m([row["input_ids"]]).logits[0], atol=2e-6)
    losses = [m([row["input_ids"]], labels=[row["label"]]).loss for row in rows]
    assert metrics["test_loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    unlabelled = trainer.predict([{"input_ids": row["input_ids"]} for row in rows])
    assert unlabelled.label_ids is None
    assert "test_loss" not in unlabelled.metrics


def test_fewer_labels_than_tokens_weigh_as_targets(tmp_path):
    """Token classification: the mean is over targets, and rows of fewer tokens are padded with -100."""
    m = model(kind=minibert.BertForTokenClassification, num_labels=3)
    rows = [{"input_ids": [5] * n, "labels": [-100] + [1] * (n - 1)} for n in (2, 7, 3, 4, 5)]
    trainer = Trainer(m, arguments(tmp_path, per_device_eval_batch_size=2))
    predictions, label_ids, metrics = trainer.predict(rows)
    assert predictions.shape == (5, 7, 3)
    assert label_ids[0].tolist() == [-100, 1] + 5 * [-100]
    sums = [m([row["input_ids"]], labels=[row["labels"]]).loss * (len(row["labels"]) - 1) for row in rows]
    assert metrics["test_loss"] == pytest.approx(sum(sums) / 16, rel=1e-5)


def test_columns_and_examples_and_a_dataset_are_the_same_data(tmp_path):
    rows = examples(16)
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    shapes = [rows, columns, minibert.Dataset(columns)]
    results = []
    for data in shapes:
        m = model()
        Trainer(m, arguments(tmp_path), train_dataset=data).train()
        results.append(m.params)
    assert same(results[0], results[1])
    assert same(results[0], results[2])


def test_grouping_by_length_visits_each_example_and_pads_little(tmp_path):
    tokens = {}
    for strategy in ("random", "group_by_length"):
        batches = []

        def collate(rows, batches=batches):
            batches.append(DataCollatorWithPadding()(rows))
            return batches[-1]

        a = arguments(tmp_path, num_train_epochs=1, train_sampling_strategy=strategy)
        rows = [{**row, "token_type_ids": [0] * len(row["input_ids"])} for row in examples(77)]
        Trainer(model(), a, collate, rows).train()
        seen = sorted(tuple(ids[mask == 1]) for b in batches for ids, mask in zip(*map(b.get, KEYS), strict=True))
        assert seen == sorted(tuple(row["input_ids"]) for row in rows)
        tokens[strategy] = sum(b["input_ids"].size for b in batches)
    assert tokens["group_by_length"] < 0.9 * tokens["random"]


KEYS = ("input_ids", "attention_mask")


def test_padding_that_nobody_attends_to_is_cut_and_changes_nothing():
    rows = [{"input_ids": [5, 7, 0, 0, 0], "attention_mask": [1, 1, 0, 0, 0], "label": 1},
            {"input_ids": [5, 7, 9, 0, 0], "attention_mask": [1, 1, 1, 0, 0], "label": 0}]  # fmt: skip
    batch = DataCollatorWithPadding()(rows)
    assert batch["input_ids"].shape == (2, 3)
    padded = {name: np.array([row[name] for row in rows]) for name in KEYS}
    m = model(dtype="float64")
    np.testing.assert_allclose(m(**batch).logits, m(**padded).logits, rtol=1e-12)


def test_examples_are_padded_on_the_side_of_the_tokenizer():
    class Left:
        pad_token_id, padding_side = 9, "left"

    batch = DataCollatorWithPadding(Left())(
        [{"input_ids": [1], "labels": [4]}, {"input_ids": [1, 2], "labels": [3, 4]}]
    )
    assert batch["input_ids"].tolist() == [[9, 1], [1, 2]]
    assert batch["attention_mask"].tolist() == [[0, 1], [1, 1]]
    assert batch["labels"].tolist() == [[-100, 4], [3, 4]]


def test_fit_is_a_trainer_in_one_call(tmp_path):
    rows = examples(32)
    encodings, labels = {"input_ids": [row["input_ids"] for row in rows]}, [row["label"] for row in rows]
    a, b = model(), model()
    out = a.fit(encodings, labels, learning_rate=1e-2, validation_data=(encodings, labels))
    fit(b, encodings, labels, learning_rate=1e-2)
    assert same(a.params, b.params)
    assert out.global_step == 12
    with pytest.raises(DataError, match="input_ids has 32, labels has 31"):
        a.fit(encodings, labels[1:])


def test_a_checkpoint_holds_model_configuration_and_state(tmp_path):
    trainer, _ = run(tmp_path, save_strategy="epoch")
    names = {path.name for path in (tmp_path / "checkpoint-8").iterdir()}
    resumes = {"optimizer.safetensors", "progress.json", "trainer_state.json", "training_args.json", "manifest.json"}
    assert names == {"config.json", "model.safetensors", *resumes}
    opened = minibert.BertForSequenceClassification.from_pretrained(tmp_path / "checkpoint-8")
    assert same(opened.params, trainer.model.params)
    trainer.save_model(tmp_path / "final")
    assert {path.name for path in (tmp_path / "final").iterdir()} == {"config.json", "model.safetensors"}
    assert not list(tmp_path.glob(".checkpoint*"))


def rows_with(**changes):
    return [{**row, **changes} for row in examples(4)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "the dataset is empty"),
        ([{"text": "a", "label": 1}], "columns text, label, but no input_ids"),
        ([{"text": "a", "input_ids": [1]}], "columns text, input_ids, but no labels"),
        ([{"input_ids": [1], "label": 0}, {"input_ids": [1]}], "example 1 has no label"),
        (rows_with(label="good"), "not a number: turn labels into"),
        (rows_with(label=None), "not a number: turn labels into"),
        (rows_with(label=2), r"labels\[0\] is 2, but must be within 0..1"),
        ([*examples(3), *2 * [{"input_ids": [5] * 13, "label": 0}]], "2 of 5 examples have more than the 12 tokens"),
    ],
)
def test_data_that_cannot_be_trained_on(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        Trainer(model(), arguments(tmp_path / "new", save_strategy="epoch"), train_dataset=rows).train()
    assert not (tmp_path / "new").exists()  # nothing half-written


def test_an_output_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="choose another output_dir"):
        run(tmp_path / "file", save_strategy="epoch")


def test_adapters_train_and_what_is_frozen_keeps_its_bits(tmp_path):
    config = LoraConfig(r=2, lora_alpha=4)
    m = get_peft_model(model(), config)
    before = tree_map(np.copy, m.params)
    options = {"eval_strategy": "epoch", "save_strategy": "epoch", "load_best_model_at_end": True}
    trainer, _ = run(tmp_path, m, n=64, gradient_accumulation_steps=2, weight_decay=0.1, l1=1e-3, **options)
    moved = {name for name, array in flatten(m.params).items() if not np.array_equal(array, flatten(before)[name])}
    assert moved == set(flatten(trainable(m.params)))
    opened = PeftModel.from_pretrained(model(), trainer.state.best_model_checkpoint)
    assert same(trainable(m.params), opened.params)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_both_backends_train_to_the_same(tmp_path, backend):
    m = model(dtype="float64")
    with minibert.backend(backend):
        run(tmp_path, m, n=24)
    reference = model(dtype="float64")
    run(tmp_path, reference, n=24)
    for name, array in flatten(reference.params).items():  # 6 steps of AdamW: see the tolerance above
        np.testing.assert_allclose(flatten(m.params)[name], array, rtol=0, atol=1e-7, err_msg=name)


def test_what_is_missing_is_said_before_anything_runs(tmp_path):
    with pytest.raises(ConfigError, match="no eval_dataset"):
        Trainer(model(), arguments(tmp_path, eval_strategy="epoch"), train_dataset=examples(4)).train()
    with pytest.raises(DataError, match="give train_dataset"):
        Trainer(model(), arguments(tmp_path)).train()
    with pytest.raises(DataError, match="give eval_dataset"):
        Trainer(model(), arguments(tmp_path)).evaluate()
    with pytest.raises(ConfigError, match="eval_quality, but an evaluation has eval_loss"):
        run(tmp_path, eval_strategy="epoch", metric_for_best_model="quality")
    with pytest.raises(ConfigError, match="tokenizer is now called processing_class"):
        Trainer(model(), tokenizer=None)
    with pytest.raises(ConfigError, match="did you mean train_dataset"):
        Trainer(model(), train_data=examples(4))


def test_a_metric_that_is_not_a_number_is_never_the_best(tmp_path):
    trainer, _ = run(
        tmp_path, metric=Metric(math.nan, 0.1, math.nan), num_train_epochs=3, eval_strategy="epoch",
        metric_for_best_model="quality",
    )  # fmt: skip
    assert trainer.state.best_global_step == 8
