"""Cosines, neighbours and pairs, against the formula."""

import numpy as np
import pytest

from minibert.errors import ConfigError, DataError
from minibert.sentence_encoder.similarity import closest_pairs, cosine_similarity, nearest

RNG = np.random.default_rng(0)


def test_cosines():
    a, b = RNG.normal(size=(3, 5)), RNG.normal(size=(4, 5))
    found = cosine_similarity(a, b)
    for i in range(3):
        for j in range(4):
            expected = a[i] @ b[j] / np.linalg.norm(a[i]) / np.linalg.norm(b[j])
            assert found[i, j] == pytest.approx(expected, rel=1e-12)
    assert cosine_similarity(a[0], b[0]).shape == (1, 1)
    assert cosine_similarity(np.zeros(5), b).tolist() == [[0, 0, 0, 0]]


def test_neighbours_and_pairs():
    x = np.array([[1.0, 0], [0, 1], [3, 0.1], [-1, 0]])
    assert [found.index for found in nearest(np.array([2.0, 0]), x, 3)] == [0, 2, 1]
    assert [found.index for found in nearest(np.array([2.0, 0]), x, 99)] == [0, 2, 1, 3]
    pairs = closest_pairs(x, 2)
    assert [(i, j) for i, j, _ in pairs] == [(0, 2), (1, 2)]
    assert pairs[0][2] == pytest.approx(3 / np.hypot(3, 0.1))


def test_what_cannot_be_compared():
    with pytest.raises(DataError, match="one width"):
        cosine_similarity(np.ones((2, 3)), np.ones((2, 4)))
    for find in (lambda: nearest(np.ones(3), np.ones((2, 3)), 0), lambda: closest_pairs(np.ones((2, 3)), 0)):
        with pytest.raises(ConfigError, match="top_k must be at least 1"):
            find()
