"""Masked language modelling: what is hidden, how much, behind what."""

import numpy as np
import pytest

from minibert.objectives.masking import Vocabulary, mask_tokens

V = 1000
STARTS = np.arange(V) % 3 != 0  # ids 6, 9, 12, ... continue a word
VOCABULARY = Vocabulary(size=V, pad=0, cls=2, sep=3, mask=4, special=(0, 1, 2, 3, 4), word_starts=STARTS)


def sequences(rows=400, length=102, padding=0):
    ids = np.random.default_rng(0).integers(5, V, (rows, length))
    ids[:, 0], ids[:, -1 - padding] = 2, 3
    ids[:, length - padding :] = 0
    return ids


def test_fifteen_percent_of_the_ordinary_tokens_are_chosen():
    ids = sequences(padding=20)  # 80 ordinary tokens a row
    _, labels = mask_tokens(ids, VOCABULARY, np.random.default_rng(0))
    assert ((labels != -100).sum(1) == 12).all()


@pytest.mark.parametrize("whole_words", [False, True])
def test_special_tokens_are_never_chosen_nor_used_as_a_replacement(whole_words):
    ids = sequences(padding=20)
    ids[:, 7] = 1  # [UNK]
    masked, labels = mask_tokens(ids, VOCABULARY, np.random.default_rng(0), whole_words=whole_words)
    assert not np.isin(labels, VOCABULARY.special).any()
    special = np.isin(ids, VOCABULARY.special)
    np.testing.assert_array_equal(masked[special], ids[special])
    changed = masked[(masked != ids) & (masked != VOCABULARY.mask)]
    assert len(changed) > 100
    assert changed.min() >= 5


def test_labels_hold_the_truth_and_the_rest_is_untouched():
    ids = sequences()
    masked, labels = mask_tokens(ids, VOCABULARY, np.random.default_rng(0))
    chosen = labels != -100
    np.testing.assert_array_equal(labels[chosen], ids[chosen])
    np.testing.assert_array_equal(masked[~chosen], ids[~chosen])


def test_eighty_ten_ten():
    ids = sequences(rows=4000)
    masked, labels = mask_tokens(ids, VOCABULARY, np.random.default_rng(0))
    chosen = labels != -100
    n = chosen.sum()
    hidden, same = (masked[chosen] == 4).sum(), (masked[chosen] == ids[chosen]).sum()
    for count, share in [(hidden, 0.8), (same, 0.1), (n - hidden - same, 0.1)]:
        # five standard deviations; a random token is the true one once in V, which is far less
        assert abs(count - share * n) < 5 * np.sqrt(n * share * (1 - share))


def test_every_ordinary_position_is_equally_likely():
    ids = sequences(rows=4000)
    _, labels = mask_tokens(ids, VOCABULARY, np.random.default_rng(0))
    counts = (labels != -100).sum(0)[1:-1]
    assert abs(counts - 600).max() < 5 * np.sqrt(4000 * 0.15 * 0.85)


def test_at_least_one_token_of_a_short_sequence_is_chosen_and_none_of_an_empty_one():
    ids = np.array([[2, 50, 3, 0], [2, 3, 0, 0]])
    _, labels = mask_tokens(ids, VOCABULARY, np.random.default_rng(0))
    assert (labels != -100).tolist() == [[False, True, False, False], [False] * 4]


def test_whole_words_are_hidden_together():
    ids = sequences()
    _, labels = mask_tokens(ids, VOCABULARY, np.random.default_rng(0), whole_words=True)
    chosen = labels != -100
    continues = ~STARTS[ids] & ~np.isin(ids, VOCABULARY.special)
    continues[:, 1] = False  # a sequence may begin inside a word
    inside = continues[:, 1:]
    assert (chosen[:, 1:][inside] == chosen[:, :-1][inside]).all()
    assert (chosen.sum(1) <= 15).all()
    assert chosen.sum(1).mean() > 14


def test_a_single_long_word_is_chosen_whole():
    ids = np.array([[2, 7, 9, 12, 15, 3]])
    _, labels = mask_tokens(ids, VOCABULARY, np.random.default_rng(0), whole_words=True)
    assert (labels != -100).tolist() == [[False, True, True, True, True, False]]


def test_the_generator_decides_everything():
    ids = sequences()
    a, b, c = (mask_tokens(ids, VOCABULARY, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert (a[1] != c[1]).any()
