"""What counts as work is the same for every side, and is what a hand counts."""

import pytest

from minibert import BertConfig, BertForPreTraining, GPT2LMHeadModel, backend, trace
from minibert.bench import flops
from minibert.bench.sizes import Sizes
from minibert.bench.steps import random_batch

CONFIG = BertConfig(
    vocab_size=10, hidden_size=4, num_hidden_layers=2, num_attention_heads=2, intermediate_size=6,
    max_position_embeddings=3,
)  # fmt: skip


def test_a_step_by_hand():
    """B 2, T 3, one masked token. A forward and two backward products, a multiplication and an addition each."""
    projections = 6 * (2 * 3) * (4 * 12 + 4 * 4)  # query, key and value; output
    feed_forward = 6 * (2 * 3) * (4 * 6 + 6 * 4)
    scores_and_output = 2 * 2 * (2 * 2 * 3 * 3 * 2)  # two products of B H T T K
    attention = 3 * scores_and_output
    heads = 6 * 1 * (4 * 4 + 4 * 10) + 6 * 2 * (4 * 4 + 4 * 2)
    expected = 2 * (projections + feed_forward + attention) + heads
    assert expected == 10416
    assert flops.training_step(CONFIG, B=2, T=3, masked=1) == expected


def test_causal_attention_counts_what_may_be_seen():
    assert flops.attention(1, 1, 3, 5) == 6 * 2 * 9 * 5
    assert flops.attention(1, 1, 3, 5, causal=True) == 6 * 2 * 6 * 5  # 1 + 2 + 3 pairs


CAUSAL = Sizes("gpt2-nano", batch_size=2, seq_len=7, vocab_size=50, dropout=0.0)


@pytest.mark.parametrize("which", ["numpy", "numba"])
@pytest.mark.parametrize("make", [BertForPreTraining, GPT2LMHeadModel])
def test_a_step_as_it_runs(sizes, make, which):
    """The products that a trace counts from the shapes of each call, however a backend makes them."""
    sizes = CAUSAL if make is GPT2LMHeadModel else sizes
    model, batch = make(sizes.config()), random_batch(sizes)
    with backend(which), trace() as t:
        losses, _ = model.losses_and_grads(batch)
    assert sum(record.flops for record in t if record.depth == 0) == flops.step(sizes)
    (part, *_) = losses.parts.values()
    assert part.count == sizes.predicted == (12 if sizes.causal else 2)
