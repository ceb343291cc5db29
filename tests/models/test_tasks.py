"""Models with the heads of tasks, as a user meets them: labels, checkpoints, parts of batches, errors that help."""

import json
import warnings

import numpy as np
import pytest
from task_cases import CASES, GPT2, IDS, MASK, WIDTHS, B, C, T, build, padded, without_smoothing

import minibert
from minibert.errors import CheckpointError, ConfigError, DataError
from minibert.models.tasks import TASKS
from minibert.training.accumulation import accumulate
from minibert.tree import flatten


def of(name, **fields):
    family = "Bert" if name.startswith("Bert") else "Roberta"
    return getattr(minibert, name)(getattr(minibert, f"{family}Config")(**WIDTHS, **fields), seed=3)


@pytest.mark.parametrize("name", CASES)
def test_call_and_loss_and_grads_agree_on_the_loss(name):
    model, batch = build(name)
    if "label_smoothing" in batch:
        assert model(**without_smoothing(batch)).loss != pytest.approx(model.loss_and_grads(**batch)[0], rel=1e-3)
    else:
        assert model(**batch).loss == pytest.approx(model.loss_and_grads(**batch)[0], rel=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_parts_of_a_batch_add_up_to_the_whole(name):
    """Their numbers of targets differ, so a mean of means would be wrong."""
    model, batch = build(name)
    whole, grads = model.losses_and_grads(batch)
    parts = [
        {n: value if n == "label_smoothing" else value[rows] for n, value in batch.items()}
        for rows in (slice(0, 1), slice(1, B))
    ]
    losses, total = accumulate(model, parts)
    assert losses.total == pytest.approx(whole.total, rel=1e-12)
    for part, values in whole.parts.items():
        assert losses.parts[part] == pytest.approx(values, rel=1e-12)
    for parameter, gradient in flatten(grads).items():
        np.testing.assert_allclose(
            flatten(total)[parameter], gradient, rtol=1e-12, atol=1e-12 * abs(gradient).max() + 1e-15, err_msg=parameter
        )


@pytest.mark.parametrize("name", [name for name in CASES if "one label" in name or "spans" in name])
def test_a_saved_model_opens_with_the_same_bits(name, tmp_path):
    cls, config, _ = CASES[name]
    model = cls(config, seed=3)
    model.save_pretrained(tmp_path)
    opened = cls.from_pretrained(tmp_path)
    assert opened.config == config
    for parameter, array in flatten(model.params).items():
        np.testing.assert_array_equal(flatten(opened.params)[parameter], array)
    assert json.loads((tmp_path / "config.json").read_text())["architectures"] == [cls.__name__]


@pytest.mark.parametrize("name", [name for name in CASES if "one label" in name or "spans" in name])
def test_one_batch_can_be_learned_by_heart(name):
    cls, config, batch = CASES[name]
    rates = [f for f in vars(config) if f.endswith(("pdrop", "dropout", "dropout_prob"))]
    config = type(config).from_dict(config.to_dict(), **dict.fromkeys(rates, 0))
    model = cls(config, seed=0)
    optimizer = minibert.AdamW(model.params, lr=0.02, weight_decay=0.0)
    for _ in range(150):
        losses, grads = model.losses_and_grads(batch)
        optimizer.step(grads, max_grad_norm=1.0)
    assert losses.total < 0.05
    assert all(part.correct == part.count for part in losses.parts.values())


@pytest.mark.parametrize(
    ("base", "head", "missing"),
    [
        ("BertForMaskedLM", "BertForSequenceClassification", r"pooler\.weight, pooler\.bias, task_head\.weight"),
        ("BertModel", "BertForTokenClassification", r"not in the file: task_head\.weight, task_head\.bias$"),
        ("BertModel", "BertForQuestionAnswering", r"not in the file: task_head\.weight, task_head\.bias$"),
        ("RobertaForMaskedLM", "RobertaForSequenceClassification", r"file: task_head\.dense\.weight, .*output\.bias$"),
        ("RobertaModel", "RobertaForMultipleChoice", r"not in the file: task_head\.weight, task_head\.bias$"),
    ],
)
def test_a_base_model_opens_into_a_head_that_is_named(base, head, missing, tmp_path):
    model = of(base)
    model.save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match=missing):
        opened = getattr(minibert, head).from_pretrained(tmp_path)
    for parameter, array in flatten(model.params["encoder"]).items():
        np.testing.assert_array_equal(flatten(opened.params["encoder"])[parameter], array)


def test_gpt2_opens_into_a_head_and_back_without_it(tmp_path):
    model = minibert.GPT2LMHeadModel(minibert.GPT2Config(**GPT2), seed=3)
    model.save_pretrained(tmp_path / "base")
    with pytest.warns(UserWarning, match=r"not in the file: task_head\.classes$"):
        head = minibert.GPT2ForSequenceClassification.from_pretrained(tmp_path / "base", num_labels=4, pad_token_id=0)
    assert head(IDS).logits.shape == (B, 4)
    head.save_pretrained(tmp_path / "head")
    body = minibert.GPT2Model.from_pretrained(tmp_path / "head")
    np.testing.assert_array_equal(
        body(IDS).last_hidden_state, minibert.GPT2Model.from_pretrained(tmp_path / "base")(IDS)[0]
    )


def test_num_labels_is_a_keyword_of_from_pretrained(tmp_path):
    of("BertModel").save_pretrained(tmp_path)
    names = {0: "O", 1: "B", 2: "I"}
    for fields in ({"num_labels": 3}, {"id2label": names}, {"label2id": {"O": 0, "B": 1, "I": 2}}):
        with pytest.warns(UserWarning, match="task_head"):
            model = minibert.BertForTokenClassification.from_pretrained(tmp_path, **fields)
        assert model(IDS).logits.shape == (B, T, 3)
        assert model.config.id2label == (names if "num_labels" not in fields else {i: f"LABEL_{i}" for i in range(3)})
    with pytest.raises(ConfigError, match="BertConfig has no field 'n_labels'"):
        minibert.BertForTokenClassification.from_pretrained(tmp_path, n_labels=3)


def test_a_checkpoint_with_another_number_of_labels(tmp_path):
    for name in ("BertForSequenceClassification", "RobertaForSequenceClassification"):
        model = of(name, num_labels=3)
        model.save_pretrained(tmp_path)
        cls = type(model)
        with pytest.raises(
            CheckpointError, match=r"has 3 labels, not 5: open it with num_labels=3, or with ignore_mis"
        ) as e:
            cls.from_pretrained(tmp_path, num_labels=5)
        assert "\n" not in str(e.value)
        with pytest.warns(UserWarning, match="initialised at random, not in the file: task_head"):
            other = cls.from_pretrained(tmp_path, num_labels=5, ignore_mismatched_sizes=True)
        assert other(IDS).logits.shape == (B, 5)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            same = cls.from_pretrained(tmp_path, ignore_mismatched_sizes=True)
        np.testing.assert_array_equal(same(IDS).logits, model(IDS).logits)


def test_gpt2_with_another_number_of_labels(tmp_path):
    cls, config, _ = CASES["GPT2, SequenceClassification, one label"]
    cls(config).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"score\.weight: the head in the file has 5 labels, not 3"):
        cls.from_pretrained(tmp_path, num_labels=3)
    with pytest.warns(UserWarning, match="task_head"):
        assert cls.from_pretrained(tmp_path, num_labels=3, ignore_mismatched_sizes=True)(IDS[:1]).logits.shape == (1, 3)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_labels": 0}, "num_labels must be an integer of at least 1, but is 0"),
        ({"num_labels": 3, "id2label": {0: "a", 1: "b"}}, "num_labels is 3, but id2label names 2 labels"),
        ({"id2label": {0: "a", 2: "b"}}, r"must name each of the labels 0, 1, \.\.\., but names \[0, 2\]"),
        ({"id2label": {"x": "a"}}, "id2label must map the numbers"),
        ({"id2label": 5}, "id2label must map the numbers"),
        ({"problem_type": "ranking"}, "problem_type must be one of regression, single"),
        ({"problem_type": "single_label_classification", "num_labels": 1}, "needs num_labels of at least 2"),
        ({"classifier_dropout": 1.0}, "classifier_dropout must be at least 0 and less than 1"),
        ({"classifier_dropout": "0.1"}, "classifier_dropout must be"),
    ],
)
def test_a_configuration_of_labels_that_cannot_work_is_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        minibert.BertConfig(**WIDTHS, **fields)


def test_names_of_labels_are_completed():
    config = minibert.BertConfig(**WIDTHS, id2label={"0": "bad", "1": "good", "2": "?"})
    assert (config.num_labels, config.label2id["good"], config.id2label[1]) == (3, 1, "good")
    assert "id2label" not in minibert.BertConfig(**WIDTHS).to_dict()


@pytest.mark.parametrize(
    ("name", "fields", "batch", "message"),
    [
        ("BertForSequenceClassification", {"num_labels": C}, {"labels": [0, 5, 1]}, r"labels\[1\] is 5, .* 0\.\.4"),
        ("BertForSequenceClassification", {"num_labels": C}, {"labels": [0, 1]}, r"labels must have shape \(3,\)"),
        ("BertForSequenceClassification", {"num_labels": C}, {"labels": np.full((B, C), 2.0)}, "within 0..1 for multi"),
        ("BertForSequenceClassification", {"num_labels": C}, {"labels": [0.5, 1, 0]}, r"numbers of shape \(3, 5\)"),
        ("BertForSequenceClassification", {"num_labels": 1}, {"labels": [0.5, np.nan, 0]}, r"labels\[1, 0\] is nan"),
        ("BertForSequenceClassification", {"num_labels": 1}, {"labels": ["a", "b", "c"]}, "must be numbers"),
        ("BertForTokenClassification", {}, {"labels": [0, 1, 0]}, r"labels must have shape \(3, 7\)"),
        ("BertForQuestionAnswering", {}, {"start_positions": [0, -1, 0], "end_positions": [0] * 3}, "start_positions"),
        ("BertForQuestionAnswering", {}, {"start_positions": [0, 1, 0], "end_positions": [0]}, "end_positions"),
        ("BertForMultipleChoice", {}, {"labels": [0, 1, 0]}, r"input_ids must be \(batch, choices, length\)"),
    ],
)
def test_wrong_labels_get_an_error_that_says_where(name, fields, batch, message):
    model = of(name, **fields)
    with pytest.raises(DataError, match=message):
        model(IDS, **batch)
    with pytest.raises(DataError, match=message):
        model.loss_and_grads(input_ids=IDS, **batch)


def test_a_loss_needs_labels_and_smoothing_a_label():
    with pytest.raises(DataError, match="needs start_positions and end_positions for its loss"):
        of("BertForQuestionAnswering").loss_and_grads(input_ids=IDS, start_positions=[0] * B)
    with pytest.raises(DataError, match="label_smoothing is for one label of several, not for regression"):
        of("BertForSequenceClassification", num_labels=1).loss_and_grads(
            input_ids=IDS, labels=[1.0] * B, label_smoothing=0.1
        )
    with pytest.raises(ConfigError, match="num_labels is 3, but answers have 2, start and end"):
        of("RobertaForQuestionAnswering", num_labels=3)


def test_a_batch_for_gpt2_needs_to_know_the_padding():
    model = minibert.GPT2ForSequenceClassification(minibert.GPT2Config(**GPT2))
    with pytest.raises(DataError, match=r"a batch of 3 texts needs config\.pad_token_id"):
        model(IDS)


@pytest.mark.parametrize("side", ["right", "left"])
def test_padding_changes_nothing_for_gpt2(side):
    """The last token that is none decides, wherever the padding is; its positions are given when it is left."""
    mask = MASK if side == "right" else MASK[:, ::-1]
    model, _ = build("GPT2, SequenceClassification, one label")
    inputs = padded(2, mask)
    positions = minibert.models.decoder.mask_positions(mask)
    logits = model(**inputs, position_ids=positions).logits
    for row, ids, seen in zip(logits, inputs["input_ids"], mask.astype(bool), strict=True):
        np.testing.assert_allclose(row, model(ids[seen][None]).logits[0], rtol=1e-11, atol=1e-13)


def test_what_no_head_sees_has_no_pooler():
    for name in ("BertForTokenClassification", "BertForQuestionAnswering", "RobertaForSequenceClassification"):
        assert "pooler" not in of(name).params
    assert "pooler" in of("BertForSequenceClassification").params


def test_outputs_are_mappings_that_can_be_taken_by_position():
    model = of("BertForQuestionAnswering")
    outputs = model(IDS)
    assert list(outputs) == ["start_logits", "end_logits"]
    assert "loss" not in outputs
    with pytest.raises(KeyError):
        outputs["loss"]
    assert outputs[0] is outputs.start_logits is outputs["start_logits"] is outputs.to_tuple()[0]
    loss, start = model(IDS, start_positions=[0] * B, end_positions=[1] * B)[:2]
    assert isinstance(loss, float)
    assert start.shape == (B, T)
    pooled = of("BertModel")(IDS)[1]
    assert pooled.shape == (B, 6)


def test_the_table_of_tasks_holds_each_class_once():
    classes = [cls for by_type in TASKS.values() for cls in by_type.values()]
    assert len(set(classes)) == len(classes) == 9
    for by_type in TASKS.values():
        for model_type, cls in by_type.items():
            assert cls.config_class.model_type == model_type
            assert getattr(minibert, cls.__name__) is cls
