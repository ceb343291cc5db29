"""What counts as work is the same for every side, and is what a hand counts."""

import math
from fractions import Fraction

import pytest

from minibert import BertConfig, BertForPreTraining, GPT2LMHeadModel, watch
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


@pytest.mark.parametrize("make", [BertForPreTraining, GPT2LMHeadModel])
def test_a_step_as_it_runs(sizes, make):
    """The products that the reference really makes, counted from the shapes of the calls.

    In causal order it makes them all and hides some: only the share that a query may see counts.
    """
    sizes = CAUSAL if make is GPT2LMHeadModel else sizes
    config, batch, T = sizes.config(), random_batch(sizes), sizes.seq_len
    seen = Fraction(T + 1, 2 * T) if sizes.causal else 1
    counted = 0

    def count(call):
        nonlocal counted
        if call.name in ("linear", "linear_backward"):
            x, weight = call.args[:2] if call.name == "linear" else call.args[1][:2]
            counted += (2 if call.name == "linear" else 4) * math.prod(x.shape[:-1]) * weight.size
        if call.name in ("attention", "attention_backward"):
            q, k = call.args[:2] if call.name == "attention" else call.args[1][:2]
            counted += (4 if call.name == "attention" else 8) * q.size * k.shape[2] * seen

    with watch(count):
        model = make(config)
        losses, _ = model.losses_and_grads(batch)
    assert counted == flops.step(sizes)
    (part, *_) = losses.parts.values()
    assert part.count == sizes.predicted == (12 if sizes.causal else 2)
