"""Batches: layout, padding, epochs."""

import numpy as np
import pytest

from minibert.data.token_corpus import TokenCorpus
from minibert.errors import ConfigError, DataError
from minibert.objectives.batches import PretrainingBatches
from minibert.objectives.masking import Vocabulary

V = 200
VOCABULARY = Vocabulary(V, pad=0, cls=2, sep=3, mask=4, special=(0, 1, 2, 3, 4), word_starts=np.ones(V, bool))


@pytest.fixture
def corpus():
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, 12, 300)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return TokenCorpus(rng.integers(5, V, starts[-1]).astype(np.uint16), starts, np.arange(0, 301, 10), np.arange(30))


def batches(corpus, objective="mlm+nsp", seed=0, **more):
    return PretrainingBatches(corpus, VOCABULARY, objective, batch_size=8, seq_len=32, seed=seed, **more)


def unmasked(batch):
    return np.where(batch["labels"] == -100, batch["input_ids"], batch["labels"])


def test_layout_of_pairs(corpus):
    for batch in batches(corpus).epoch(0):
        ids, mask, segment = unmasked(batch), batch["attention_mask"], batch["token_type_ids"]
        assert ids.shape[1] <= 32
        assert mask.sum(1).max() == ids.shape[1]
        for row in range(len(ids)):
            n = mask[row].sum()
            assert (mask[row, :n] == 1).all()
            assert (ids[row, n:] == 0).all()
            assert ids[row, 0] == 2
            first, second = np.flatnonzero(ids[row] == 3)
            assert second == n - 1
            assert segment[row].tolist() == [0] * (first + 1) + [1] * (second - first) + [0] * (ids.shape[1] - n)


def test_layout_of_segments(corpus):
    for batch in batches(corpus, "mlm").epoch(0):
        assert set(batch) == {"input_ids", "attention_mask", "labels"}
        ids = unmasked(batch)
        assert (ids[:, 0] == 2).all()
        assert ((ids == 3).sum(1) == 1).all()


def test_one_epoch_of_segments_reads_every_token_once(corpus):
    read = np.concatenate([unmasked(b)[unmasked(b) >= 5] for b in batches(corpus, "mlm").epoch(0)])
    np.testing.assert_array_equal(np.bincount(read, minlength=V), np.bincount(corpus.tokens, minlength=V))


def test_epochs_repeat_exactly_and_differ_from_each_other(corpus):
    one, again, two = (list(batches(corpus).epoch(e)) for e in (1, 1, 2))
    for a, b in zip(one, again, strict=True):
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])
    assert not np.array_equal(one[0]["input_ids"], two[0]["input_ids"])
    assert not np.array_equal(one[0]["input_ids"], next(batches(corpus, seed=1).epoch(1))["input_ids"])


def test_forever_goes_through_the_epochs(corpus):
    source = batches(corpus)
    n = len(list(source.epoch(0)))
    stream = source.forever()
    assert [next(stream)[0] for _ in range(n + 1)] == [0] * n + [1]


def test_a_corpus_that_cannot_give_pairs_is_refused_at_once(corpus):
    train, _ = corpus.split(0.9, seed=0)
    one = TokenCorpus(corpus.tokens, corpus.sentence_starts, corpus.document_starts, train.documents[:1])
    with pytest.raises(DataError, match="--objective mlm"):
        batches(one)
    assert next(batches(one, "mlm").epoch(0))


@pytest.mark.parametrize(("objective", "seq_len"), [("mlm+nsp", 4), ("mlm", 3)])
def test_too_short_sequences_are_refused(corpus, objective, seq_len):
    with pytest.raises(ConfigError, match="seq_len must be at least"):
        PretrainingBatches(corpus, VOCABULARY, objective, batch_size=8, seq_len=seq_len, seed=0)


def test_unknown_objective(corpus):
    with pytest.raises(ConfigError, match=r"mlm\+nsp, mlm"):
        batches(corpus, "clm")
