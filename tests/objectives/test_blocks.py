"""Causal batches: blocks of one long text, drawn anew, and what can be had without a network."""

from itertools import pairwise

import numpy as np
import pytest

from minibert.data.token_corpus import TokenCorpus
from minibert.errors import ConfigError, DataError
from minibert.objectives.baselines import bigram, unigram
from minibert.objectives.blocks import CausalBatches
from minibert.objectives.stream import Stream

V, END = 60, 59


@pytest.fixture
def corpus():
    """30 documents of 1 to 9 sentences."""
    rng = np.random.default_rng(0)
    sentences = rng.integers(1, 10, 30)
    lengths = rng.integers(1, 12, sentences.sum())
    starts = np.concatenate([[0], np.cumsum(lengths)])
    tokens = rng.integers(0, END, starts[-1]).astype(np.uint16)
    return TokenCorpus(tokens, starts, np.concatenate([[0], np.cumsum(sentences)]), np.arange(30))


def text(corpus):
    """The stream, document by document."""
    ids = []
    for document in corpus.documents:
        for i in corpus.sentences(document):
            ids += corpus.sentence(i).tolist()
        ids.append(END)
    return np.array(ids)


def batches(corpus, seed=0, **more):
    return CausalBatches(corpus, END, V, **{"batch_size": 4, "seq_len": 16, "seed": seed, **more})


def test_the_stream_of_any_part_is_its_documents_with_separators(corpus):
    for part in (corpus, *corpus.split(0.3, seed=1)):
        stream = Stream(part, END)
        np.testing.assert_array_equal(stream.all(), text(part))
        places = np.random.default_rng(2).integers(0, len(stream), (3, 5))
        np.testing.assert_array_equal(stream.read(places), text(part)[places])


def test_a_block_is_a_run_of_the_text_and_its_own_label(corpus):
    whole = text(corpus)
    windows = {tuple(whole[i : i + 16]) for i in range(len(whole) - 15)}
    found = list(batches(corpus).epoch(0))
    assert len(found) == -(-len(whole) // 64)
    for batch in found:
        assert batch["input_ids"].shape == (4, 16)
        assert batch["attention_mask"].all()
        np.testing.assert_array_equal(batch["labels"], batch["input_ids"])
        assert all(tuple(row) in windows for row in batch["input_ids"])


def test_blocks_come_from_everywhere(corpus):
    """In 400 epochs every place is the first of a block, the last possible one too."""
    whole = text(corpus)
    first = {tuple(row) for e in range(400) for batch in batches(corpus).epoch(e) for row in batch["input_ids"]}
    assert first == {tuple(whole[i : i + 16]) for i in range(len(whole) - 15)}


def test_epochs_repeat_exactly_and_differ_from_each_other(corpus):
    one, again, two, other = (
        next(batches(corpus, seed).epoch(e))["input_ids"] for e, seed in ((1, 0), (1, 0), (2, 0), (1, 1))
    )
    np.testing.assert_array_equal(one, again)
    assert (one != two).any()
    assert (one != other).any()
    stream, n = batches(corpus).forever(), len(list(batches(corpus).epoch(0)))
    assert [next(stream)[0] for _ in range(n + 1)] == [0] * n + [1]


def test_a_text_shorter_than_a_block_is_refused_at_once(corpus):
    with pytest.raises(DataError, match=rf"held-out part of the corpus has {len(text(corpus))} tokens.*--seq_len"):
        batches(corpus, seq_len=2000, part="held-out")
    with pytest.raises(ConfigError, match="seq_len must be at least 2"):
        batches(corpus, seq_len=1)


def test_bigrams_are_probabilities_and_match_the_formula():
    """Summed over all next tokens they are 1, after seen and unseen tokens alike."""
    rng = np.random.default_rng(0)
    training = rng.integers(0, 5, 40)  # 5 and 6 never occur
    p = np.array([[np.exp(-bigram(training, np.array([a, b]), 7)) for b in range(7)] for a in range(7)])
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-12)
    a, b = 3, 1
    pairs = list(pairwise(training.tolist()))
    count, total = pairs.count((a, b)), sum(x == a for x, _ in pairs)
    kinds, base = len({y for x, y in pairs if x == a}), ((training == b).sum() + 1) / 47
    assert p[a, b] == pytest.approx((count + kinds * base) / (total + kinds), rel=1e-12)
    text = rng.integers(0, 7, 20)
    assert bigram(training, text, 7) == pytest.approx(-np.log(p[text[:-1], text[1:]]).mean(), rel=1e-12)


def test_baselines_of_a_language_with_rules(corpus):
    """Where each token decides the next, the bigram loss is near 0 and the unigram loss ln 10."""
    cycle = TokenCorpus(np.arange(4000) % 10, np.array([0, 4000]), np.array([0, 1]), np.arange(1))
    found = batches(cycle).baselines(batches(cycle))
    assert found["unigram_loss"] == pytest.approx(np.log(10), abs=0.01)
    assert found["unigram_loss"] == unigram(np.bincount(text(cycle))).loss
    assert found["bigram_loss"] < 0.05
