"""Greedy output is Hugging Face's on the same weights: 200 tokens, 20 prompts of different lengths."""

import numpy as np
import pytest

import minibert

torch = pytest.importorskip("torch", reason="needs the extra `oracle`")
transformers = pytest.importorskip("transformers", reason="needs the extra `oracle`")
pytestmark = [pytest.mark.oracle, pytest.mark.slow]

SMALL = dict(vocab_size=97, n_positions=240, n_embd=24, n_layer=2, n_head=3)
RNG = np.random.default_rng(0)
LENGTHS = RNG.integers(1, 40, 20)
MASK = np.arange(40) >= 40 - LENGTHS[:, None]
IDS = np.where(MASK, RNG.integers(1, 97, (20, 40)), 0)


@pytest.fixture(params=["GPT2", "OpenAIGPT"])
def pair(request, tmp_path):
    """Their model in float64 with weights large enough that texts vary, and ours with the same."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{request.param}Config")(**SMALL, initializer_range=0.3)
    theirs = getattr(transformers, f"{request.param}LMHeadModel")(config).double().eval()
    theirs.save_pretrained(tmp_path)
    return theirs, getattr(minibert, f"{request.param}LMHeadModel").from_pretrained(tmp_path, dtype="float64")


@pytest.mark.parametrize("penalty", [1.0, 1.1])
def test_greedy(pair, penalty):
    """Prompt by prompt there, in one padded batch here. Their penalty would count padding too."""
    theirs, ours = pair
    mine = ours.generate(IDS, 200, attention_mask=MASK, repetition_penalty=penalty)
    assert len(np.unique(mine[:, 40:])) > 20  # no text of one token
    for i, length in enumerate(LENGTHS):
        prompt = torch.tensor(IDS[i : i + 1, 40 - length :])
        expected = theirs.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=200,
            do_sample=False,
            repetition_penalty=penalty,
            pad_token_id=0,
            eos_token_id=None,
        )
        np.testing.assert_array_equal(mine[i, 40 - length :], expected[0].numpy())
