"""RoBERTa's sequences: full of whole sentences, across documents."""

import numpy as np
import pytest

from minibert.data.token_corpus import TokenCorpus
from minibert.objectives.batches import PretrainingBatches
from minibert.objectives.full_sentences import full_sentences
from minibert.objectives.masking import Vocabulary

V, MOST = 200, 30
VOCABULARY = Vocabulary(V, pad=1, cls=0, sep=2, mask=4, special=(1, 3, 0, 2, 4), word_starts=np.ones(V, bool))


@pytest.fixture
def corpus():
    """40 documents of 1 to 8 sentences, of which some are longer than a sequence."""
    rng = np.random.default_rng(0)
    sentences = rng.integers(1, 9, 40)
    lengths = rng.choice([1, 3, 7, 11, 70], sentences.sum(), p=[0.2, 0.3, 0.3, 0.15, 0.05])
    starts = np.concatenate([[0], np.cumsum(lengths)])
    tokens = rng.integers(5, V, starts[-1]).astype(np.uint16)
    return TokenCorpus(tokens, starts, np.concatenate([[0], np.cumsum(sentences)]), np.arange(40))


def lengths(packed):
    return sum(stop - start for start, stop in packed.ranges) + len(packed.ranges) - 1


@pytest.mark.parametrize("seed", range(5))
def test_one_pass_reads_every_token_once_in_sequences_that_fit(corpus, seed):
    found = list(full_sentences(corpus, MOST, np.random.default_rng(seed)))
    assert all(1 <= lengths(packed) <= MOST for packed in found)
    read = np.concatenate([np.arange(*r) for packed in found for r in packed.ranges])
    np.testing.assert_array_equal(np.sort(read), np.arange(len(corpus.tokens)))


def test_sequences_end_where_sentences_end_unless_one_fits_nowhere(corpus):
    ends = set(corpus.sentence_starts.tolist())
    _, *found = full_sentences(corpus, MOST, np.random.default_rng(0))
    for packed in found:
        if packed.ranges[-1][1] not in ends:  # cut
            assert lengths(packed) == MOST
            assert len(packed.ranges) == 1


def test_they_cross_documents_and_are_nearly_full(corpus):
    found = list(full_sentences(corpus, MOST, np.random.default_rng(0)))
    assert sum(len(packed.ranges) > 1 for packed in found) > len(found) / 4
    assert np.mean([lengths(packed) for packed in found]) > 0.75 * MOST
    document = np.searchsorted(corpus.sentence_starts[corpus.document_starts], np.arange(len(corpus.tokens)), "right")
    for packed in found:
        numbers = [document[start] for start, _ in packed.ranges]
        assert len(set(numbers)) == len(numbers)  # one range a document


def test_batches_frame_them_and_mask_anew(corpus):
    make = PretrainingBatches(corpus, VOCABULARY, "mlm, full sentences", 8, MOST + 2, seed=0)
    hidden = []
    for epoch in (0, 1):
        for batch in make.epoch(epoch):
            assert set(batch) == {"input_ids", "attention_mask", "labels"}
            ids = np.where(batch["labels"] == -100, batch["input_ids"], batch["labels"])
            n = batch["attention_mask"].sum(1)
            assert ids.shape[1] <= MOST + 2
            assert (ids[:, 0] == 0).all()
            assert (ids[np.arange(len(ids)), n - 1] == 2).all()
            assert (ids[batch["attention_mask"] == 0] == 1).all()
            assert not np.isin(batch["labels"], VOCABULARY.special).any()
        hidden.append(batch["labels"])
    assert hidden[0].shape != hidden[1].shape or (hidden[0] != hidden[1]).any()


def test_masks_are_drawn_anew_each_epoch():
    """Each token has an id of its own, so that hidden ones can be told: 15 % of one epoch's are in the next too."""
    n, V = 2000, 3000
    starts = np.arange(0, n + 1, 10)
    corpus = TokenCorpus(np.arange(5, n + 5).astype(np.uint16), starts, np.arange(0, len(starts), 20), np.arange(10))
    vocabulary = VOCABULARY._replace(size=V, word_starts=np.ones(V, bool))
    make = PretrainingBatches(corpus, vocabulary, "mlm, full sentences", 8, MOST + 2, seed=0)
    one, again, two = ({int(id) for batch in make.epoch(e) for id in batch["labels"].flat} - {-100} for e in (0, 0, 1))
    assert one == again
    assert len(one) == pytest.approx(0.15 * n, rel=0.1)
    assert len(one & two) == pytest.approx(0.15 * len(one), rel=0.5)
