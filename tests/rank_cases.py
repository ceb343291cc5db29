"""Small models, and a step of two parts for each: what one rank and several must agree on.

The parts have 5 and 2 rows, and each row another number of targets. On three ranks the second part leaves one rank
without a row.
"""

import numpy as np

import minibert
from minibert.training.accumulation import accumulate
from minibert.tree import flatten, tree_map

T, V = 7, 11
DECODER = dict(vocab_size=V, n_positions=9, n_embd=6, n_layer=3, n_head=3, n_inner=10, initializer_range=0.3)
CASES = {
    "bert": (minibert.BertForPreTraining, minibert.BertConfig(V, 6, 3, 3, 10, initializer_range=0.3)),
    "gpt2": (minibert.GPT2LMHeadModel, minibert.GPT2Config(**DECODER)),
}
RATES = ("hidden_dropout_prob", "attention_probs_dropout_prob", "resid_pdrop", "embd_pdrop", "attn_pdrop")


SUMS = (1, 2, 3, 1000)  # sizes


def summand(rank, size):
    """float32 of very different sizes: the order of a sum shows in its bits."""
    rng = np.random.default_rng([rank, size])
    return (rng.normal(size=size) * 10.0 ** rng.integers(-4, 5, size)).astype("float32")


def build(name, dtype="float64", dropout=0.0):
    """A model whose biases and normalisations are off their initial values too."""
    cls, config = CASES[name]
    for rate in RATES:
        if hasattr(config, rate):
            setattr(config, rate, dropout)
    m, rng = cls(config, seed=1, dtype=dtype), np.random.default_rng(1)
    m.params = tree_map(lambda p: p + 0.1 * rng.normal(size=p.shape).astype(p.dtype), m.params)
    return m


def part(name, rows, seed):
    """Row i has about as many targets as i + 1 in T, and is padded behind T - i % 3 tokens."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(3, V, (rows, T))
    mask = np.arange(T) < T - np.arange(rows)[:, None] % 3
    chosen = mask & (rng.random((rows, T)) < (np.arange(rows)[:, None] + 1) / rows)
    batch = {"input_ids": ids, "attention_mask": mask.astype(int), "labels": np.where(chosen, ids, -100)}
    return {**batch, "next_sentence_label": rng.integers(0, 2, rows)} if name == "bert" else batch


def parts(name):
    return [part(name, 5, 0), part(name, 2, 1)]


def one_step(name, dropout=0.0, **more):
    """The losses and the gradients of a step, as flat arrays by name."""
    m = build(name, dropout=dropout)
    losses, grads = accumulate(m, parts(name), (3, 8), **more)
    numbers = [losses.total, *(x for p in losses.parts.values() for x in p)]
    return {"losses": np.array(numbers), **flatten(grads)}
