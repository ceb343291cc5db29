"""The public face of BERT: configuration, calls, losses, checkpoints, and errors that help."""

import json

import numpy as np
import pytest

import minibert
from minibert import BertConfig, BertForMaskedLM, BertForNextSentencePrediction, BertForPreTraining, BertModel
from minibert.errors import BackendError, CheckpointError, ConfigError, DataError
from minibert.models.initialise import truncated_normal
from minibert.tree import flatten

SMALL = dict(
    vocab_size=23,
    hidden_size=12,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=20,
    max_position_embeddings=9,
)


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 23, (4, 7))
    labels = np.where(rng.random((4, 7)) < 0.4, ids, -100)
    return {"input_ids": ids, "labels": labels, "next_sentence_label": np.array([0, 1, 1, 0])}


@pytest.mark.parametrize(
    ("name", "parameters"),
    [  # of the released checkpoints, without heads: https://github.com/google-research/bert
        ("bert-tiny", 4_385_920),
        ("bert-mini", 11_170_560),
        ("bert-small", 28_763_648),
        ("bert-medium", 41_373_184),
        ("bert-base", 109_482_240),
    ],
)
def test_the_released_sizes_have_their_parameter_counts(name, parameters):
    config = BertConfig.named(name)
    c, D, F = config, config.hidden_size, config.intermediate_size
    embeddings = (c.vocab_size + c.max_position_embeddings + c.type_vocab_size) * D + 2 * D
    layer = 4 * (D * D + D) + 2 * D * F + F + D + 4 * D
    assert embeddings + c.num_hidden_layers * layer + D * D + D == parameters
    small = BertModel(BertConfig(**SMALL))
    D, F = 12, 20
    layer = 4 * (D * D + D) + 2 * D * F + F + D + 4 * D
    assert small.num_parameters() == (23 + 9 + 2) * D + 2 * D + 2 * layer + D * D + D


def test_unknown_size_lists_the_known_ones():
    with pytest.raises(ConfigError, match="bert-tiny, bert-mini"):
        BertConfig.named("bert-huge")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_attention_heads": 5}, "5 heads do not divide a width of 12"),
        ({"vocab_size": 0}, "vocab_size must be at least 1"),
        ({"hidden_dropout_prob": 1.0}, "hidden_dropout_prob must be at least 0 and less than 1"),
        ({"hidden_act": "swish"}, "hidden_act must be one of gelu"),
        ({"layer_norm_eps": float("nan")}, "layer_norm_eps must be finite"),
        ({"hidden_size": "12"}, "hidden_size must be int"),
        ({"num_hidden_layers": True}, "num_hidden_layers must be int"),
        ({"hidden_sise": 10}, r"BertConfig has no field 'hidden_sise'; did you mean hidden_size\?"),
        ({"xyzzy": 10}, "BertConfig has no field 'xyzzy'$"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        BertConfig(**{**SMALL, **change})


def test_loss_at_initialisation_is_that_of_guessing(batch):
    """ln V for the token and ln 2 for the order, within 5 %."""
    config = BertConfig.named("bert-tiny", vocab_size=2000)
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 2000, (16, 32))
    loss, _ = BertForPreTraining(config).loss_and_grads(
        input_ids=ids, labels=np.where(rng.random(ids.shape) < 0.15, ids, -100), next_sentence_label=[0, 1] * 8
    )
    assert loss == pytest.approx(np.log(2000) + np.log(2), rel=0.05)


def test_call_and_loss_and_grads_agree_on_the_loss(batch):
    """The call computes the vocabulary's logits everywhere, training at the masked positions only."""
    model = BertForPreTraining(BertConfig(**SMALL), dtype="float64")
    assert model(**batch).loss == pytest.approx(model.loss_and_grads(**batch)[0], rel=1e-12)


def test_gradients_have_the_shape_of_the_parameters(batch):
    model = BertForPreTraining(BertConfig(**SMALL))
    for labels in (["labels"], ["next_sentence_label"], ["labels", "next_sentence_label"]):
        _, grads = model.loss_and_grads(input_ids=batch["input_ids"], **{name: batch[name] for name in labels})
        shapes = {name: (g.shape, g.dtype) for name, g in flatten(grads).items()}
        assert shapes == {name: (p.shape, p.dtype) for name, p in flatten(model.params).items()}


def test_padding_changes_nothing(batch):
    model = BertModel(BertConfig(**SMALL), dtype="float64")
    ids = batch["input_ids"]
    padded = np.concatenate([ids, np.full((4, 2), 5)], axis=1)
    mask = np.concatenate([np.ones_like(ids), np.zeros((4, 2), int)], axis=1)
    a, b = model(ids), model(padded, attention_mask=mask)
    np.testing.assert_allclose(a.last_hidden_state, b.last_hidden_state[:, :7], rtol=1e-12)


def test_parts_of_a_batch_add_up_to_the_whole(batch):
    """With the counts of the whole, micro-batches give its gradient: the promise of accumulation."""
    model = BertForPreTraining(BertConfig(**SMALL), dtype="float64")
    loss, whole = model.loss_and_grads(**batch)
    counts = {"mlm": int((batch["labels"] != -100).sum()), "nsp": 4}
    parts = [
        model.loss_and_grads(**{name: array[rows] for name, array in batch.items()}, target_counts=counts)
        for rows in (slice(0, 1), slice(1, 4))
    ]
    assert sum(part[0] for part in parts) == pytest.approx(loss, rel=1e-12)
    for name, gradient in flatten(whole).items():
        total = sum(flatten(part[1])[name] for part in parts)
        np.testing.assert_allclose(total, gradient, rtol=1e-12, atol=1e-12 * abs(gradient).max() + 1e-18)


def test_dropout_is_repeatable_and_changes_with_the_step(batch):
    model = BertForPreTraining(BertConfig(**SMALL))
    first, again, later = (model.loss_and_grads(**batch, dropout_key=key)[0] for key in [(0, 1), (0, 1), (0, 2)])
    assert first == again
    assert first != later
    assert first != model.loss_and_grads(**batch)[0]


def test_the_seed_decides_the_parameters():
    a, b, c = (flatten(BertModel(BertConfig(**SMALL), seed=seed).params) for seed in (1, 1, 2))
    assert all((a[name] == b[name]).all() for name in a)
    assert (a["embeddings.token"] != c["embeddings.token"]).any()


def test_initial_weights_are_a_truncated_normal():
    x = truncated_normal((1000, 100), 0.02, np.random.default_rng(0), np.float64)
    assert abs(x).max() <= 0.04
    assert x.std() == pytest.approx(0.02 * 0.8796, rel=0.02)  # the deviation of a normal cut at 2 sigma


@pytest.mark.parametrize("cls", [BertModel, BertForPreTraining, BertForMaskedLM, BertForNextSentencePrediction])
def test_a_saved_model_opens_with_the_same_bits(cls, tmp_path, batch):
    model = cls(BertConfig(**SMALL), seed=3)
    model.save_pretrained(tmp_path)
    opened = cls.from_pretrained(tmp_path)
    assert opened.config == model.config
    for name, array in flatten(model.params).items():
        np.testing.assert_array_equal(flatten(opened.params)[name], array)
    assert json.loads((tmp_path / "config.json").read_text())["architectures"] == [cls.__name__]


def test_a_model_opens_without_heads_and_missing_heads_are_named(tmp_path):
    BertForMaskedLM(BertConfig(**SMALL), seed=3).save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match=r"pooler\.weight, pooler\.bias, nsp_head\.weight"):
        BertForPreTraining.from_pretrained(tmp_path)


def test_names_of_the_first_releases_open(tmp_path):
    from safetensors.numpy import load_file, save_file

    model = BertModel(BertConfig(**SMALL), seed=3)
    model.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    old = {
        f"bert.{n}".replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): w
        for n, w in weights.items()
    }
    save_file(old, tmp_path / "model.safetensors")
    opened = BertModel.from_pretrained(tmp_path)
    np.testing.assert_array_equal(opened([[1, 2, 3]]).pooler_output, model([[1, 2, 3]]).pooler_output)


def test_broken_checkpoints_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"config\.json: not found"):
        BertModel.from_pretrained(tmp_path)
    model = BertModel(BertConfig(**SMALL))
    model.save_pretrained(tmp_path)
    weights = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        BertModel.from_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(weights)
    BertConfig(**{**SMALL, "vocab_size": 24}).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"word_embeddings\.weight: .*\(24, 12\).*\(23, 12\)"):
        BertModel.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(CheckpointError, match="model_type is 'gpt2', expected 'bert'"):
        BertModel.from_pretrained(tmp_path)


def test_a_folder_to_save_in_that_is_a_file(tmp_path):
    path, model = tmp_path / "README.md", BertForPreTraining(BertConfig(**SMALL))
    path.write_text("read me")
    adapter = minibert.get_peft_model(BertForPreTraining(BertConfig(**SMALL)), minibert.LoraConfig())
    for save in (model.save_pretrained, adapter.save_pretrained):
        for folder in (path, path / "inside"):
            with pytest.raises(ConfigError, match=r"README\.md.*: is a file, or lies in one"):
                save(folder)
    assert path.read_text() == "read me"


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"input_ids": [[1, 2, 23]]}, r"input_ids\[0, 2\] is 23, but must be within 0\.\.22"),
        ({"input_ids": [[-1]]}, r"input_ids\[0, 0\] is -1"),
        ({"input_ids": [1, 2]}, r"input_ids must be \(batch, length\)"),
        ({"input_ids": [[1.5]]}, "must hold integers"),
        ({"input_ids": [[]]}, "at least one"),
        ({"input_ids": [[1, 2], [1]]}, "input_ids has rows of different lengths: pad them, .* padding=True"),
        ({"input_ids": [[1, 2]], "attention_mask": [[1, 2]]}, r"attention_mask\[0, 1\] is 2, but must be 1"),
        ({"input_ids": [[1] * 10]}, "has 10 tokens, but the model has positions for 9"),
        ({"input_ids": [[1, 2]], "attention_mask": [[1]]}, "attention_mask must have the shape of input_ids"),
        ({"input_ids": [[1, 2]], "token_type_ids": [[0, 2]]}, r"token_type_ids\[0, 1\] is 2"),
        ({"input_ids": [[1, 2]], "labels": [[1, 99]]}, r"labels\[0, 1\] is 99"),
        ({"input_ids": [[1, 2]], "next_sentence_label": [3]}, r"next_sentence_label\[0\] is 3"),
    ],
)
def test_wrong_input_gets_an_error_that_says_where(inputs, message):
    model = BertForPreTraining(BertConfig(**SMALL))
    with pytest.raises(DataError, match=message):
        model(**inputs)


def test_a_loss_needs_labels():
    with pytest.raises(DataError, match=r"BertForPreTraining needs labels .* labels or next_sentence_label"):
        BertForPreTraining(BertConfig(**SMALL)).loss_and_grads(input_ids=[[1, 2]])
    with pytest.raises(DataError, match="BertModel has no loss"):
        BertModel(BertConfig(**SMALL)).loss_and_grads(input_ids=[[1, 2]])


def test_unknown_dtype_and_backend_are_refused():
    with pytest.raises(ConfigError, match="float32, float64"):
        BertModel(BertConfig(**SMALL), dtype="float16")
    with pytest.raises(BackendError, match="numpy, numba"):
        minibert.set_backend("cuda")


def test_outputs_can_be_taken_by_position_as_in_hugging_face(batch):
    model = BertForMaskedLM(BertConfig(**SMALL))
    loss, logits = model(batch["input_ids"], labels=batch["labels"])[:2]
    assert logits.shape == (4, 7, 23)
    assert loss > 0
    assert model(batch["input_ids"])[0].shape == (4, 7, 23)


def test_one_batch_can_be_learned_by_heart(batch):
    model = BertForPreTraining(BertConfig(**SMALL, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0))
    optimizer = minibert.AdamW(model.params, lr=0.01, weight_decay=0.0)
    for _ in range(150):
        losses, grads = model.losses_and_grads(batch)
        optimizer.step(grads, max_grad_norm=1.0)
    assert losses.parts["mlm"].loss < 0.05
    assert losses.parts["mlm"].correct == losses.parts["mlm"].count
