"""Rung 4 for the heads of tasks: the same weights in Hugging Face's classes, float64, loss and every gradient.

Hugging Face holds the vectors of the padding fixed: where padding receives a gradient, as from the softmax over
all tokens of a question's answer, its rows are zero there and compared elsewhere only.
"""

import dataclasses
import json

import numpy as np
import pytest
import torch
import transformers
from task_cases import CASES, WIDTHS, build, padded, without_smoothing
from transformers.trainer_pt_utils import LabelSmoother

import minibert

TOLERANCE = 1e-9


def theirs_of(model, folder, **options):
    model.save_pretrained(folder)
    theirs, info = getattr(transformers, type(model).__name__).from_pretrained(
        folder, dtype=torch.float64, output_loading_info=True, **options
    )
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    return theirs.eval()


def as_torch(batch):
    return {name: torch.tensor(array) for name, array in without_smoothing(batch).items()}


def leaves(output):
    return [array for value in output.to_tuple() for array in (value if isinstance(value, tuple) else (value,))]


def padding_rows(gradients, config):
    """Set the gradients of the padding's vectors to zero: its token, and in RoBERTa its position."""
    for name, gradient in gradients.items():
        if name.endswith("word_embeddings.weight") or (
            config.model_type == "roberta" and name.endswith("position_embeddings.weight")
        ):
            gradient[config.pad_token_id] = 0
    return gradients


@pytest.mark.parametrize("name", CASES)
def test_loss_and_every_gradient_agree_with_hugging_face(name, tmp_path):
    model, batch = build(name)
    theirs = theirs_of(model, tmp_path)
    loss, grads = model.loss_and_grads(**batch)
    output = theirs(**as_torch(batch))
    expected_loss = output.loss
    if "label_smoothing" in batch:  # what their Trainer makes of the output, but there partly in float32: test below
        labels = torch.tensor(batch["labels"])
        expected_loss = torch.nn.functional.cross_entropy(output.logits, labels, label_smoothing=0.2)
    expected_loss.backward()

    assert loss == pytest.approx(expected_loss.item(), rel=TOLERANCE)
    grads = padding_rows({n: g.copy() for n, g in model.to_hf(grads).items()}, model.config)
    expected = {n: p.grad.numpy() for n, p in theirs.named_parameters()}
    assert set(grads) == set(expected)
    largest = max(abs(g).max() for g in expected.values())
    for n, gradient in expected.items():
        scale = max(abs(gradient).max(), 1e-6 * largest)
        assert abs(grads[n] - gradient).max() <= TOLERANCE * scale, n


@pytest.mark.parametrize("name", [name for name in CASES if "one label" in name or "spans" in name])
def test_outputs_agree_with_hugging_face(name, tmp_path):
    model, batch = build(name)
    theirs = theirs_of(model, tmp_path, attn_implementation="eager")
    wanted = {"output_hidden_states": True, "output_attentions": True}
    ours = model(**without_smoothing(batch), **wanted)
    with torch.no_grad():
        theirs.config.use_cache = False
        expected = theirs(**as_torch(batch), **wanted)
    assert list(ours) == list(expected)
    for a, b in zip(leaves(ours), leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in CASES if "one label" in name or "spans" in name])
def test_what_hugging_face_saves_opens_here(name, tmp_path):
    cls, config, batch = CASES[name]
    fields = {key: value for key, value in config.to_dict().items() if key not in ("model_type", "label2id")}
    theirs = getattr(transformers, cls.__name__)(getattr(transformers, cls.config_class.__name__)(**fields)).eval()
    theirs.save_pretrained(tmp_path)
    model = cls.from_pretrained(tmp_path)
    assert model.config.num_labels == theirs.config.num_labels
    ours = model(**without_smoothing(batch))
    with torch.no_grad():
        expected = theirs(**as_torch(batch))
    for field in ours:
        np.testing.assert_allclose(ours[field], expected[field], rtol=1e-4, atol=1e-5)  # float32


@pytest.mark.parametrize("epsilon", [0.1, 0.5])
def test_label_smoothing_is_that_of_their_trainer(epsilon):
    """It sums the classes in float32, whose rounding 1e-7 bounds: -100 is ignored, the mean over all classes."""
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(3, 7, 5)), rng.integers(0, 5, (3, 7))
    labels[1, 2:] = -100
    expected = LabelSmoother(epsilon=epsilon)([torch.tensor(logits)], torch.tensor(labels))
    loss, _ = minibert.ops.smoothed_cross_entropy(logits, labels, epsilon)
    assert loss == pytest.approx(expected.item(), rel=1e-7)


def test_names_of_labels_and_the_problem_reach_hugging_face(tmp_path):
    names = {0: "bad", 1: "so-so", 2: "good"}
    config = minibert.BertConfig(**WIDTHS, id2label=names, problem_type="multi_label_classification")
    theirs = theirs_of(minibert.BertForSequenceClassification(config, dtype="float64"), tmp_path)
    assert theirs.config.id2label == names
    assert theirs.config.label2id == {"bad": 0, "so-so": 1, "good": 2}
    assert theirs.config.problem_type == "multi_label_classification"
    theirs.save_pretrained(tmp_path)
    opened = minibert.BertConfig.from_pretrained(tmp_path)
    assert (opened.num_labels, opened.id2label, opened.problem_type) == (3, names, "multi_label_classification")
    assert "num_labels" not in json.loads((tmp_path / "config.json").read_text())


def test_gpt2_finds_the_last_token_as_hugging_face_does(tmp_path):
    """Padding right, left and inside; a text of padding only; and one text when no padding is known."""
    config = CASES["GPT2, SequenceClassification, one label"][1]
    model = minibert.GPT2ForSequenceClassification(dataclasses.replace(config), seed=1, dtype="float64")
    theirs = theirs_of(model, tmp_path)
    mask = np.array([[1, 1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1, 1], [1, 0, 1, 1, 0, 0, 0]])
    ids = np.vstack([padded(2, mask)["input_ids"], np.full((1, 7), 2)])
    with torch.no_grad():
        np.testing.assert_allclose(model(ids).logits, theirs(torch.tensor(ids)).logits, rtol=1e-10, atol=1e-12)
        model.config.pad_token_id = theirs.config.pad_token_id = None
        for row in ids:
            expected = theirs(torch.tensor(row[None])).logits
            np.testing.assert_allclose(model(row[None]).logits, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("task", ["SequenceClassification", "TokenClassification", "MultipleChoice"])
@pytest.mark.parametrize("family", ["Bert", "Roberta"])
def test_the_rate_of_dropout_before_the_head_is_hugging_faces(family, task):
    """`classifier_dropout` goes before `hidden_dropout_prob`, but not in RoBERTa's head for choices."""
    for fields in ({"classifier_dropout": 0.5}, {}):
        fields = {**WIDTHS, **fields, "hidden_dropout_prob": 0.2}
        ours, theirs = (
            getattr(module, f"{family}For{task}")(getattr(module, f"{family}Config")(**fields))
            for module in (minibert, transformers)
        )
        dropout = theirs.dropout if hasattr(theirs, "dropout") else theirs.classifier.dropout
        assert ours.head_dropout == dropout.p
