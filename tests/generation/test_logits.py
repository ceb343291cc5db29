"""What is done to logits before a token is drawn, as sums over scalars and as Hugging Face does it."""

import numpy as np
import pytest

from minibert.generation.logits import draw, keep_best, keep_nucleus, penalise_repetition, process
from minibert.generation.settings import GenerationSettings

RNG = np.random.default_rng(0)
SCORES = 3 * RNG.standard_normal((5, 37))
HISTORY = RNG.random((5, 37)) < 0.3


def test_the_best_and_their_equals_are_kept():
    scores = np.array([[1.0, 3.0, 2.0, 2.0, 0.0]])
    np.testing.assert_array_equal(np.isfinite(keep_best(scores, 2)), [[False, True, True, True, False]])
    assert keep_best(scores, 0) is scores
    assert keep_best(scores, 9) is scores


@pytest.mark.parametrize("p", [0.01, 0.3, 0.9, 0.999])
def test_the_nucleus_is_the_smallest_set_with_that_probability(p):
    kept = np.isfinite(keep_nucleus(SCORES, p))
    probs = np.exp(SCORES) / np.exp(SCORES).sum(1, keepdims=True)
    for row, mask in zip(probs, kept, strict=True):
        assert row[mask].min() >= row[~mask].max(initial=0)
        assert row[mask].sum() >= p
        assert row[mask].sum() - row[mask].min() < p


def test_repetition_lowers_scores_of_either_sign():
    lowered = penalise_repetition(SCORES, HISTORY, 1.3)
    assert (lowered[HISTORY] < SCORES[HISTORY]).all()
    np.testing.assert_array_equal(lowered[~HISTORY], SCORES[~HISTORY])


def test_a_draw_inverts_the_cumulated_probabilities():
    probs = np.array([0.2, 0.0, 0.5, 0.3])
    with np.errstate(divide="ignore"):
        scores = np.log(np.tile(probs, (6, 1)))
    uniform = np.array([0.0, 0.19, 0.21, 0.69, 0.71, 1 - 2**-53])
    np.testing.assert_array_equal(draw(scores, uniform), [0, 0, 2, 2, 3, 3])


@pytest.mark.oracle
@pytest.mark.parametrize(
    "options",
    [
        {"repetition_penalty": 1.3},
        {"temperature": 0.7},
        {"top_k": 5},
        {"top_p": 0.6},
        {"repetition_penalty": 0.8, "temperature": 1.5, "top_k": 20, "top_p": 0.8},
    ],
)
def test_they_are_those_of_hugging_face_in_its_order(options):
    """float64 there and here: the same arithmetic but for the order of sums."""
    torch = pytest.importorskip("torch", reason="needs the extra `oracle`")
    transformers = pytest.importorskip("transformers", reason="needs the extra `oracle`")
    model = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(vocab_size=37, n_positions=8, n_embd=4, n_layer=1, n_head=1)
    )
    config = transformers.GenerationConfig(**options, do_sample=True)
    ids = [row.nonzero()[0] for row in HISTORY]
    longest = max(map(len, ids))
    history = torch.tensor(np.stack([np.pad(row, (0, longest - len(row)), mode="edge") for row in ids]))
    processors = model._get_logits_processor(generation_config=config, input_ids_seq_length=longest)
    theirs = processors(history, torch.tensor(SCORES)).numpy()
    ours = process(SCORES, HISTORY, GenerationSettings(1, **options, do_sample=True))
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    assert np.isinf(theirs).any() == any(name.startswith("top") for name in options)
