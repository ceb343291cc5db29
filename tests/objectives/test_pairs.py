"""Next sentence prediction: pairs that are what their labels say, half and half, for awkward corpora too."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibert.data.token_corpus import TokenCorpus
from minibert.errors import DataError
from minibert.objectives.next_sentence import Pair, check_pairs, sentence_pairs, truncate
from minibert.objectives.segments import segments


def corpus(documents):
    """A corpus of documents given as lists of sentence lengths; token i is the number i."""
    lengths = [n for document in documents for n in document]
    sentence_starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    document_starts = np.concatenate([[0], np.cumsum([len(d) for d in documents])]).astype(np.int64)
    return TokenCorpus(np.arange(sum(lengths)), sentence_starts, document_starts, np.arange(len(documents)))


def document_of(c, token):
    sentence = np.searchsorted(c.sentence_starts, token, side="right") - 1
    return np.searchsorted(c.document_starts, sentence, side="right") - 1


def many(c, epochs=50, max_tokens=30):
    return [p for e in range(epochs) for p in sentence_pairs(c, max_tokens, np.random.default_rng(e))]


def typical(seed=0):
    rng = np.random.default_rng(seed)
    return corpus([rng.integers(1, 20, rng.integers(1, 30)).tolist() for _ in range(20)])


def test_half_the_pairs_are_random():
    labels = np.array([p.is_random for p in many(typical())])
    assert len(labels) > 5000
    assert abs(labels.mean() - 0.5) < 5 * 0.5 / np.sqrt(len(labels))


def test_consecutive_means_the_same_document_and_no_gap_but_what_truncation_cut():
    c = typical()
    for p in many(c, epochs=5, max_tokens=10_000):
        same = document_of(c, p.first_start) == document_of(c, p.second_start)
        assert same == (p.is_random == 0)
        if not p.is_random:
            assert p.second_start == p.first_stop


def test_random_segments_come_from_another_document_even_after_truncation():
    c = typical()
    for p in many(c, epochs=5):
        assert (document_of(c, p.first_start) != document_of(c, p.second_start)) == bool(p.is_random)
        assert document_of(c, p.first_start) == document_of(c, p.first_stop - 1)
        assert document_of(c, p.second_start) == document_of(c, p.second_stop - 1)


def test_pairs_fit_and_have_two_segments():
    for p in many(typical()):
        a, b = p.first_stop - p.first_start, p.second_stop - p.second_start
        assert a >= 1
        assert b >= 1
        assert a + b <= 30


def test_ten_percent_are_short():
    """With sentences of one token, a pair that was not made short fills its 30 tokens."""
    c = corpus([[1] * 5000] * 4)
    consecutive = [p for p in many(c, epochs=10) if not p.is_random]
    short = np.mean([p.second_stop - p.first_start < 30 for p in consecutive])
    expected = 0.1 * 28 / 29  # the target is uniform over 2..30
    assert abs(short - expected) < 5 * np.sqrt(0.1 * 0.9 / len(consecutive)) + 0.005


def test_sentences_of_a_replaced_second_segment_come_back():
    """One pass reads every sentence of a document but, perhaps, a last lonely one."""
    c = corpus([[3] * 40, [3] * 40])
    pairs = list(sentence_pairs(c, 10_000, np.random.default_rng(0)))
    first_document = sorted(p.first_start for p in pairs if p.first_start < 120)
    assert first_document[0] == 0
    ends = [(p.first_start, p.first_stop if p.is_random else p.second_stop) for p in pairs if p.first_start < 120]
    ends.sort()
    assert all(stop == start for (_, stop), (start, _) in pairwise(ends))
    assert ends[-1][1] in (117, 120)


def test_documents_of_one_sentence_start_no_pair_but_serve_as_random_segments():
    c = corpus([[5]] * 10 + [[5] * 6])
    pairs = many(c, max_tokens=20)
    assert {int(document_of(c, p.first_start)) for p in pairs} == {10}
    assert abs(np.mean([p.is_random for p in pairs]) - 0.5) < 5 * 0.5 / np.sqrt(len(pairs))


def test_a_corpus_of_one_document_is_refused_with_a_way_out():
    with pytest.raises(DataError, match=r"at least two documents .* has 1: choose --objective mlm"):
        check_pairs(corpus([[5] * 50]), "training")


def test_documents_of_one_sentence_only_are_refused_with_a_way_out():
    """What a blank line after every sentence makes of a text."""
    with pytest.raises(DataError, match=r"all 30 documents in the held-out part .* have one: choose --objective mlm"):
        check_pairs(corpus([[5]] * 30), "held-out")


@given(st.integers(1, 40), st.integers(1, 40), st.integers(2, 30))
def test_truncation_takes_from_the_longer_segment(a, b, max_tokens):
    kept_a, kept_b = a, b
    while kept_a + kept_b > max_tokens:  # the paper's released code, one token at a time
        if kept_a > kept_b:
            kept_a -= 1
        else:
            kept_b -= 1
    p = truncate(Pair(100, 100 + a, 500, 500 + b, 1), max_tokens, np.random.default_rng(0))
    assert (p.first_stop - p.first_start, p.second_stop - p.second_start) == (kept_a, kept_b)
    assert p.first_start >= 100
    assert p.first_stop <= 100 + a
    assert p.second_start >= 500
    assert p.second_stop <= 500 + b


def test_truncation_cuts_at_both_ends():
    fronts = [truncate(Pair(0, 100, 500, 501, 0), 51, np.random.default_rng(s)).first_start for s in range(500)]
    assert abs(np.mean(fronts) - 25) < 5 * np.sqrt(50 / 4 / 500)


def test_segments_cover_every_token_once_and_stay_in_their_document():
    c = typical()
    for seed in range(20):
        found = list(segments(c, 17, np.random.default_rng(seed)))
        assert sorted(t for s in found for t in range(s.start, s.stop)) == list(range(len(c.tokens)))
        assert all(1 <= s.stop - s.start <= 17 for s in found)
        assert all(document_of(c, s.start) == document_of(c, s.stop - 1) for s in found)


def test_segments_keep_sentences_whole_where_they_fit():
    c = corpus([[4] * 30])
    for seed in range(20):
        cuts = {s.start for s in segments(c, 11, np.random.default_rng(seed))}
        assert len(cuts) >= 15
        assert sum(cut % 4 != 0 for cut in cuts) <= 3  # only the first, randomly short, segment may cut a sentence


def test_segments_of_documents_of_one_sentence():
    found = list(segments(corpus([[5]] * 10), 20, np.random.default_rng(0)))
    assert sum(s.stop - s.start for s in found) == 50
