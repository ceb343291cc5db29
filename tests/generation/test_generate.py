"""Writing: greedy and drawn, with the cache and without, alone and in a batch, beyond the positions; errors."""

import numpy as np
import pytest

from minibert import GPT2LMHeadModel, OpenAIGPTLMHeadModel
from minibert.errors import ConfigError, DataError

SMALL = dict(vocab_size=23, n_embd=12, n_layer=2, n_head=3, n_positions=40, initializer_range=0.3)
BOTH = [GPT2LMHeadModel, OpenAIGPTLMHeadModel]
IDS = np.random.default_rng(0).integers(0, 23, (3, 7))
LENGTHS = [7, 2, 4]
MASK = np.arange(7) >= 7 - np.array(LENGTHS)[:, None]  # padded on the left
DRAWN = {"temperature": 0.9, "top_k": 9, "top_p": 0.9, "repetition_penalty": 1.2, "seed": 3}


def build(cls=GPT2LMHeadModel, **more):
    return cls(cls.config_class(**{**SMALL, **more}), seed=1, dtype="float64")


@pytest.mark.parametrize("cls", BOTH)
def test_every_token_has_the_logits_of_the_whole_text_read_at_once(cls):
    """The cache changes the order of no sum that matters: float64, 33 tokens."""
    model = build(cls)
    past, tokens, ids = model.new_past(3, 40), IDS, IDS
    for _ in range(33):
        logits, past = model.decode(tokens, past)
        np.testing.assert_allclose(logits, model(ids).logits[:, -1], rtol=0, atol=1e-10)
        tokens = logits.argmax(1)[:, None]
        ids = np.hstack([ids, tokens])
    np.testing.assert_array_equal(model.generate(IDS, 33), ids[:, :40])


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize("options", [{}, DRAWN, {**DRAWN, "num_return_sequences": 3}])
def test_a_text_does_not_depend_on_its_batch(cls, options):
    model, R = build(cls), options.get("num_return_sequences", 1)
    together = model.generate(IDS, 20, attention_mask=MASK, **options)
    assert together.shape == (3 * R, 27)
    for i, length in enumerate(LENGTHS):
        alone = model.generate(IDS[i : i + 1, 7 - length :], 20, **options)
        np.testing.assert_array_equal(together[i * R : (i + 1) * R, 7 - length :], alone)


def test_continuations_of_one_prompt_differ_and_a_seed_repeats_them():
    model = build()
    drawn = model.generate(IDS, 20, num_return_sequences=2, seed=5)
    assert (drawn[0] != drawn[1]).any()
    np.testing.assert_array_equal(drawn, model.generate(IDS, 20, num_return_sequences=2, seed=5))
    assert (drawn != model.generate(IDS, 20, num_return_sequences=2, seed=6)).any()


def test_a_prompt_twice_in_a_batch_is_continued_alike():
    """Its numbers follow from the prompt; for different continuations there is num_return_sequences."""
    first, second = build().generate(np.repeat(IDS[:1], 2, axis=0), 20, seed=1)
    np.testing.assert_array_equal(first, second)


def test_drawn_tokens_have_the_model_s_probabilities():
    """2000 draws of one token; each frequency within 5 standard deviations."""
    model = build()
    p = np.exp(logits := model(IDS[:1]).logits[0, -1])
    p /= np.exp(logits).sum()
    drawn = model.generate(IDS[:1], 1, num_return_sequences=2000, do_sample=True)[:, -1]
    frequency = np.bincount(drawn, minlength=23) / 2000
    assert (abs(frequency - p) < 5 * np.sqrt(p * (1 - p) / 2000) + 1e-3).all()


def test_greedy_is_what_temperature_0_and_no_options_mean():
    model = build()
    greedy = model.generate(IDS, 20)
    cold = [{"temperature": 0}, {"temperature": 1e-29}, {"temperature": 1e-300}]
    for options in (*cold, {"do_sample": False, "temperature": 0.7, "top_k": 5}, {"top_k": 1}):
        np.testing.assert_array_equal(model.generate(IDS, 20, **options), greedy)
    assert (model.generate(IDS, 20, do_sample=True) != greedy).any()


def test_a_stream_yields_what_generate_returns():
    model = build()
    pieces = list(model.stream(IDS, 20, attention_mask=MASK, **DRAWN))
    assert [piece.shape for piece in pieces] == [(3,)] * 20
    np.testing.assert_array_equal(np.stack(pieces, 1), model.generate(IDS, 20, attention_mask=MASK, **DRAWN)[:, 7:])


def test_a_text_ends_with_eos_and_goes_on_with_padding():
    model = build()
    free = model.generate(IDS, 20)[:, 7:]
    ends = [int(free[0, 4]), int(free[1, 9])]
    stops = [int(np.flatnonzero(np.isin(row, ends))[0]) if np.isin(row, ends).any() else 19 for row in free]
    ended = model.generate(IDS, 20, eos_token_id=ends, pad_token_id=22)[:, 7:]
    assert ended.shape[1] == max(stops) + 1
    for row, stop, whole in zip(ended, stops, free, strict=True):
        np.testing.assert_array_equal(row[: stop + 1], whole[: stop + 1])
        assert (row[stop + 1 :] == 22).all()
    one = model.generate(IDS, 20, eos_token_id=ends[0])[:, 7:]
    assert (one[0, 5:] == ends[0]).all()


@pytest.mark.parametrize("options", [{}, {"attention_mask": MASK}])
def test_beyond_the_positions_the_beginning_is_forgotten(options):
    """When the 16 positions are full, the last 8 tokens are read anew: as from a prompt that holds these alone."""
    model = build(n_positions=16)
    long = model.generate(IDS, 30, slide=True, **options)
    assert long.shape == (3, 37)
    np.testing.assert_array_equal(long[:, :17], model.generate(IDS, 10, **options))
    for begin in (9, 18):
        np.testing.assert_array_equal(long[:, begin : begin + 17], model.generate(long[:, begin : begin + 8], 9))


def test_the_last_token_needs_no_position():
    model = build(n_positions=16)
    assert model.generate(IDS, 10).shape == (3, 17)
    with pytest.raises(DataError, match="7 tokens of the prompt and 11 new ones exceed the 16 positions"):
        model.generate(IDS, 11)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens must be an integer of at least 1, but is 0"),
        ({"max_new_tokens": 2.5}, "max_new_tokens must be an integer"),
        ({"temperature": -1}, "temperature must not be negative"),
        ({"temperature": float("nan")}, "temperature must be a finite number"),
        ({"temperature": 10**400}, "temperature must be a finite number"),
        ({"temperature": "hot"}, "temperature must be a finite number"),
        ({"top_k": -1}, "top_k must be an integer of at least 0"),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1"),
        ({"top_p": 1.5}, "top_p must be above 0 and at most 1"),
        ({"repetition_penalty": 0}, r"repetition_penalty must be within 0.001\.\.1000, but is 0"),
        ({"repetition_penalty": 1e4}, r"repetition_penalty must be within 0.001\.\.1000"),
        ({"num_return_sequences": 0}, "num_return_sequences must be an integer of at least 1"),
        ({"num_return_sequences": 10**9}, r"3,000,000,000 texts need at least .* of memory, but this machine has"),
        ({"num_return_sequences": 2, "do_sample": False}, "all would be the same"),
        ({"num_return_sequences": 2, "temperature": 0}, "all would be the same"),
        ({"seed": -1}, "seed must be an integer of at least 0"),
        ({"eos_token_id": 23}, r"eos_token_id is 23, but must be within 0\.\.22"),
        ({"eos_token_id": 1.5}, "eos_token_id must be an integer or a list"),
        ({"pad_token_id": -1}, "pad_token_id must be an integer of at least 0"),
        ({"max_new_tokens": None}, "max_new_tokens is missing: say how many tokens to write$"),
        ({"max_new_tokens": None, "max_length": 8}, "max_new_tokens is missing: .*, instead of max_length"),
        ({"num_beams": 4}, "generate has no option 'num_beams': there are max_new_tokens, temperature, top_k"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_before_anything_is_read(options, message):
    with pytest.raises(ConfigError, match=message):
        build().stream(IDS, **{"max_new_tokens": 5, **options})


@pytest.mark.parametrize(
    ("ids", "mask", "message"),
    [
        ([[]], None, "the prompt is empty"),
        ([[1, 2], [3]], None, "different lengths: pad them on the left"),
        ([[1, 2], [3, 4]], [[1, 1], [0, 0]], "prompt 1 is empty, all padding"),
        ([[1, 2, 3]], [[1, 1, 0]], "padding behind a token"),
        ([[1, 2]], [["no", "yes"]], "attention_mask must hold 1"),
        ([[1, 23]], None, r"must be within 0\.\.22"),
        ([1, 2], None, r"must be \(batch, length\)"),
        ([[1.5]], None, "must hold integers"),
        ([[1] * 41], None, "the prompt has 41 tokens, but the model has positions for 40: cut the prompt"),
    ],
)
def test_a_prompt_that_cannot_be_continued_is_refused(ids, mask, message):
    with pytest.raises(DataError, match=message):
        build().stream(ids, 5, attention_mask=mask)
