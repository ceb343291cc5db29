"""The public face of GPT-2 and GPT: configuration, losses, the key-value cache, checkpoints, and errors that help."""

import json

import numpy as np
import pytest

import minibert
from minibert import GPT2Config, GPT2LMHeadModel, GPT2Model, OpenAIGPTConfig, OpenAIGPTLMHeadModel
from minibert.errors import CheckpointError, ConfigError, DataError
from minibert.models.decoder import mask_positions
from minibert.training.accumulation import accumulate
from minibert.tree import flatten

SMALL = dict(vocab_size=23, n_embd=12, n_layer=2, n_head=3, n_positions=9, initializer_range=0.3)
BOTH = [GPT2LMHeadModel, OpenAIGPTLMHeadModel]
IDS = np.random.default_rng(0).integers(0, 23, (4, 7))


def build(cls, dtype="float64", **more):
    return cls(cls.config_class(**{**SMALL, **more}), seed=1, dtype=dtype)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [  # of the released checkpoints: https://huggingface.co/openai-community
        ("gpt2", 124_439_808),
        ("gpt2-medium", 354_823_168),
        ("gpt2-large", 774_030_080),
        ("gpt2-xl", 1_557_611_200),
    ],
)
def test_the_released_sizes_have_their_parameter_counts(name, parameters):
    def count(c):
        D, F = c.n_embd, c.inner_width
        return (c.vocab_size + c.n_positions) * D + 2 * D + c.n_layer * (4 * (D * D + D) + 2 * D * F + F + D + 4 * D)

    assert count(GPT2Config.named(name)) == parameters
    assert build(GPT2Model).num_parameters() == count(GPT2Config(**SMALL))


def test_gpt_has_the_parameter_count_of_the_released_checkpoint():
    c = OpenAIGPTConfig.named("openai-gpt")
    D, F = c.n_embd, c.inner_width
    layer = 4 * (D * D + D) + 2 * D * F + F + D + 4 * D
    assert (c.vocab_size + c.n_positions) * D + c.n_layer * layer == 116_534_784
    D, F = 12, 48
    layer = 4 * (D * D + D) + 2 * D * F + F + D + 4 * D
    assert build(OpenAIGPTLMHeadModel).num_parameters() == (23 + 9) * D + 2 * layer


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_head": 5}, "5 heads do not divide a width of 12"),
        ({"n_layer": 0}, "n_layer must be at least 1"),
        ({"n_inner": 0}, "n_inner must be at least 1"),
        ({"n_inner": "9"}, r"n_inner must be int \| None"),
        ({"resid_pdrop": 1.0}, "resid_pdrop must be at least 0 and less than 1"),
        ({"activation_function": "relu"}, "activation_function must be one of gelu"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        GPT2Config(**{**SMALL, **change})


def test_variants_that_are_not_computed_are_refused_and_other_fields_ignored():
    assert GPT2Config.from_dict({**SMALL, "summary_type": "cls_index", "n_ctx": 9}) == GPT2Config(**SMALL)
    for name, value in [("scale_attn_by_inverse_layer_idx", True), ("tie_word_embeddings", False)]:
        with pytest.raises(ConfigError, match=f"{name} is {value}"):
            GPT2Config.from_dict({**SMALL, name: value})
    with pytest.raises(ConfigError, match="afn must be 'gelu'"):
        OpenAIGPTConfig(**SMALL, afn="relu")


def test_weights_that_add_to_the_residual_stream_begin_smaller():
    """By 1 / sqrt(2 L) in GPT-2 (section 2.3 of the paper), not in GPT."""
    for cls, factor in [(GPT2LMHeadModel, 1 / np.sqrt(8)), (OpenAIGPTLMHeadModel, 1)]:
        model = cls(cls.config_class(vocab_size=99, n_embd=96, n_layer=4, n_head=4))
        for name, array in flatten(model.params).items():
            if array.ndim == 2:
                added = name.endswith(("output.weight", "down.weight"))
                assert array.std() == pytest.approx(0.02 * (factor if added else 1), rel=0.05), name


@pytest.mark.parametrize("cls", BOTH)
def test_loss_at_initialisation_is_that_of_guessing(cls):
    ids = np.random.default_rng(0).integers(0, 2000, (8, 33))
    model = cls(cls.config_class(vocab_size=2000, n_embd=64, n_layer=2, n_head=4, n_positions=33))
    assert model.loss_and_grads(input_ids=ids, labels=ids)[0] == pytest.approx(np.log(2000), rel=0.05)


@pytest.mark.parametrize("cls", BOTH)
def test_a_position_does_not_see_what_follows(cls):
    model = build(cls)
    changed = IDS.copy()
    changed[:, 4:] = (changed[:, 4:] + 1) % 23
    before, after = model(IDS).logits, model(changed).logits
    np.testing.assert_array_equal(before[:, :4], after[:, :4])
    assert (before[:, 4:] != after[:, 4:]).any()


def test_call_and_loss_and_grads_agree_on_the_loss():
    model = build(GPT2LMHeadModel)
    labels = np.where(np.random.default_rng(1).random(IDS.shape) < 0.5, IDS, -100)
    loss, _ = model.loss_and_grads(input_ids=IDS, labels=labels)
    assert model(IDS, labels=labels).loss == pytest.approx(loss, rel=1e-12)
    losses, _ = model.losses_and_grads({"input_ids": IDS, "labels": labels})
    assert losses.parts["clm"].count == model.count_targets({"labels": labels})["clm"] == (labels[:, 1:] >= 0).sum()


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("cls", BOTH)
def test_padding_changes_nothing(cls, side):
    model, pad, one = build(cls), np.full((4, 2), 5), np.ones_like(IDS)
    pieces = [pad, IDS] if side == "left" else [IDS, pad]
    padded, mask = np.hstack(pieces), np.hstack([0 * pad, one] if side == "left" else [one, 0 * pad])
    tokens = slice(2, None) if side == "left" else slice(0, 7)
    logits = model(padded, attention_mask=mask, position_ids=mask_positions(mask)).logits[:, tokens]
    np.testing.assert_allclose(logits, model(IDS).logits, rtol=1e-12, atol=1e-13)
    labels = np.where(mask, padded, -100)
    if side == "left":
        labels[:, 2] = -100  # the first token
    inputs = {"attention_mask": mask, "position_ids": mask_positions(mask), "labels": labels}
    (a, da), (b, db) = model.loss_and_grads(input_ids=IDS, labels=IDS), model.loss_and_grads(input_ids=padded, **inputs)
    assert a == pytest.approx(b, rel=1e-12)
    for name, gradient in flatten(da).items():
        np.testing.assert_allclose(flatten(db)[name], gradient, rtol=1e-9, atol=1e-12)


def test_positions_count_tokens():
    mask = np.array([[1, 1, 1, 1], [0, 0, 1, 1], [1, 1, 0, 0]])
    np.testing.assert_array_equal(mask_positions(mask)[mask == 1], [0, 1, 2, 3, 0, 1, 0, 1])
    assert mask_positions(mask).min() == 0


@pytest.mark.parametrize("pieces", [[1] * 7, [3, 1, 2, 1], [7]])
@pytest.mark.parametrize("cls", BOTH)
def test_reading_in_pieces_equals_reading_at_once(cls, pieces):
    """The key-value cache saves work and changes nothing: 1e-10 as promised, 1e-12 as measured."""
    model, past, end = build(cls), None, 0
    whole = model(IDS).logits
    by_call = model.new_past(4, max_length=7)
    for n in pieces:
        new, end = IDS[:, end : end + n], end + n
        logits, past = model.decode(new, past)
        np.testing.assert_allclose(logits, whole[:, end - 1], rtol=1e-12, atol=1e-12)
        out = model(new, past_key_values=by_call, use_cache=True)
        by_call = out.past_key_values
        np.testing.assert_allclose(out.logits, whole[:, end - n : end], rtol=1e-12, atol=1e-12)
    assert past.length == by_call.length == 7


@pytest.mark.parametrize("cls", BOTH)
def test_reading_prompts_padded_on_the_left_equals_each_alone(cls):
    model, lengths = build(cls), [7, 3, 5, 4]
    mask = np.arange(7) >= 7 - np.array(lengths)[:, None]
    logits, past = model.decode(IDS[:, :6], attention_mask=mask[:, :6])
    logits, past = model.decode(IDS[:, 6:], past, attention_mask=mask)
    for i, n in enumerate(lengths):
        alone = model(IDS[i : i + 1, 7 - n :]).logits[0, -1]
        np.testing.assert_allclose(logits[i], alone, rtol=1e-12, atol=1e-12)


def test_the_cache_copies_only_the_new_tokens():
    model = build(GPT2LMHeadModel)
    _, past = model.decode(IDS[:, :3])
    before = past.arrays.copy()
    _, longer = model.decode(IDS[:, 3:5], past)
    assert longer.arrays is past.arrays
    assert (past.length, longer.length) == (3, 5)
    np.testing.assert_array_equal(past.arrays[..., :3, :], before[..., :3, :])


def test_parts_of_a_batch_add_up_to_the_whole():
    model = build(GPT2LMHeadModel)
    labels = np.where(np.random.default_rng(1).random(IDS.shape) < 0.5, IDS, -100)
    loss, whole = model.loss_and_grads(input_ids=IDS, labels=labels)
    parts = [{"input_ids": IDS[rows], "labels": labels[rows]} for rows in (slice(0, 1), slice(1, 4))]
    losses, grads = accumulate(model, parts)
    assert losses.total == pytest.approx(loss, rel=1e-12)
    for name, gradient in flatten(whole).items():
        np.testing.assert_allclose(flatten(grads)[name], gradient, rtol=1e-12, atol=1e-12 * abs(gradient).max())


def test_dropout_acts_in_its_three_places_and_is_repeatable():
    off = dict(embd_pdrop=0.0, attn_pdrop=0.0, resid_pdrop=0.0)
    batch = {"input_ids": IDS, "labels": IDS}
    plain = build(GPT2LMHeadModel, **off).loss_and_grads(**batch)[0]
    assert build(GPT2LMHeadModel, **off).loss_and_grads(**batch, dropout_key=(0, 1))[0] == plain
    for place in off:
        model = build(GPT2LMHeadModel, **{**off, place: 0.5})
        first, again, later = (model.loss_and_grads(**batch, dropout_key=key)[0] for key in [(0, 1), (0, 1), (0, 2)])
        assert first == again
        assert len({first, later, plain}) == 3


@pytest.mark.parametrize("cls", [GPT2Model, minibert.OpenAIGPTModel, *BOTH])
def test_a_saved_model_opens_with_the_same_bits(cls, tmp_path):
    model = build(cls, "float32")
    model.save_pretrained(tmp_path)
    opened = cls.from_pretrained(tmp_path)
    assert opened.config == model.config
    for name, array in flatten(model.params).items():
        np.testing.assert_array_equal(flatten(opened.params)[name], array)
    assert json.loads((tmp_path / "config.json").read_text())["architectures"] == [cls.__name__]


def test_the_names_and_buffers_of_the_released_file_open(tmp_path):
    """It has no prefix `transformer.`, the causal masks as buffers, and in some copies the tied head."""
    from safetensors.numpy import load_file, save_file

    model = build(GPT2LMHeadModel, "float32")
    model.save_pretrained(tmp_path)
    weights = {n.removeprefix("transformer."): w for n, w in load_file(tmp_path / "model.safetensors").items()}
    assert {"wte.weight", "h.1.attn.c_attn.weight", "ln_f.bias"} < set(weights)
    assert weights["h.1.mlp.c_fc.weight"].shape == (12, 48)  # (in, out)
    buffers = {"h.0.attn.bias": np.tri(9, dtype=np.float32)[None, None], "h.0.attn.masked_bias": np.float32([-1e4])}
    save_file({**weights, **buffers, "lm_head.weight": weights["wte.weight"]}, tmp_path / "model.safetensors")
    for cls in (GPT2LMHeadModel, GPT2Model):
        opened = flatten(cls.from_pretrained(tmp_path).params)
        assert all((opened[name] == array).all() for name, array in flatten(model.params).items())


def test_another_models_folder_is_refused(tmp_path):
    build(GPT2LMHeadModel).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="model_type is 'gpt2', expected 'openai-gpt'"):
        OpenAIGPTLMHeadModel.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"input_ids": [[1, 23]]}, r"input_ids\[0, 1\] is 23, but must be within 0\.\.22"),
        ({"input_ids": [[1] * 10]}, r"0 \+ 10 tokens exceed the 9 positions"),
        ({"input_ids": [[1, 2]], "attention_mask": [[1]]}, "attention_mask must have the shape"),
        ({"input_ids": [[1, 2]], "position_ids": [[0, 9]]}, r"position_ids\[0, 1\] is 9"),
        ({"input_ids": [[1, 2]], "labels": [[1, 99]]}, r"labels\[0, 1\] is 99"),
        ({"input_ids": [[1, 2]], "labels": [["a", "b"]]}, "labels must hold integers; got <U1"),
        ({"input_ids": [[1]], "past_key_values": ((IDS, IDS),)}, "must be what a call with use_cache=True returned"),
        ({"input_ids": [1, 2], "use_cache": True}, r"input_ids must be \(batch, length\)"),
    ],
)
def test_wrong_input_gets_an_error_that_says_where(inputs, message):
    with pytest.raises(DataError, match=message):
        build(GPT2LMHeadModel)(**inputs)


def test_a_past_that_is_full_or_of_another_batch_is_refused():
    model = build(GPT2LMHeadModel)
    _, past = model.decode(IDS, model.new_past(4, max_length=8))
    with pytest.raises(DataError, match=r"7 \+ 2 tokens exceed the 8 positions"):
        model.decode(IDS[:, :2], past)
    with pytest.raises(DataError, match="is of 4 sequences, but input_ids has 2"):
        model.decode(IDS[:2, :1], past)


@pytest.mark.parametrize("mask", [[1, 1], [[1, 1]], [[1], [1]]])
def test_a_mask_covers_the_past_too(mask):
    model = build(GPT2LMHeadModel)
    _, past = model.decode([[1, 2]])
    with pytest.raises(DataError, match=r"attention_mask must have the shape of input_ids, \(1, 3\)"):
        model.decode([[3]], past, attention_mask=mask)


def test_a_loss_needs_labels():
    with pytest.raises(DataError, match="GPT2LMHeadModel needs labels"):
        build(GPT2LMHeadModel).loss_and_grads(input_ids=IDS)
    with pytest.raises(DataError, match="GPT2Model has no loss"):
        build(GPT2Model).loss_and_grads(input_ids=IDS)


@pytest.mark.parametrize("cls", BOTH)
def test_one_batch_can_be_learned_by_heart(cls):
    model = build(cls, embd_pdrop=0.0, attn_pdrop=0.0, resid_pdrop=0.0, dtype="float32")
    optimizer = minibert.AdamW(model.params, lr=0.01, weight_decay=0.0)
    batch = {"input_ids": IDS, "labels": IDS}
    for _ in range(150):
        losses, grads = model.losses_and_grads(batch)
        optimizer.step(grads, max_grad_norm=1.0)
    part = losses.parts["clm"]
    assert part.loss < 0.5  # not 0: texts that begin alike go on differently
    assert part.correct >= part.count - 4
