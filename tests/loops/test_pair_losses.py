"""Rung 1: the losses of pairs, symbol by symbol, as loops over scalars."""

import math

import numpy as np
import pytest

from minibert.blocks.cosines import all_cosines, pair_cosines
from minibert.blocks.pair_losses import contrastive_loss, cosine_regression_loss
from minibert.blocks.text_vectors import text_vectors

CLOSE = {"rtol": 1e-12, "atol": 1e-12}
RNG = np.random.default_rng(0)
U, V = RNG.normal(size=(3, 5)), RNG.normal(size=(3, 5))


def cos(u, v):
    dot = sum(a * b for a, b in zip(u, v, strict=True))
    return dot / math.sqrt(sum(a * a for a in u)) / math.sqrt(sum(b * b for b in v))


def test_cosines():
    np.testing.assert_allclose(pair_cosines(U, V)[0], [cos(u, v) for u, v in zip(U, V, strict=True)], **CLOSE)
    np.testing.assert_allclose(all_cosines(U[:2], V)[0], [[cos(u, v) for v in V] for u in U[:2]], **CLOSE)


def test_a_vector_without_direction_is_like_nothing():
    zero = np.zeros((1, 5))
    assert all_cosines(zero, V)[0].tolist() == [[0, 0, 0]]
    assert pair_cosines(zero, zero)[0].tolist() == [0]


@pytest.mark.parametrize("count", [None, 7])
def test_cosine_regression(count):
    scores = [0.5, -1.0, 0.25]
    total = sum((cos(U[i], V[i]) - scores[i]) ** 2 for i in range(3))
    part, _ = cosine_regression_loss(U, V, np.array(scores), count)
    assert part.loss == pytest.approx(total / (count or 3), rel=1e-12)
    assert part.count == 3


@pytest.mark.parametrize("count", [None, 7])
def test_contrastive(count):
    total, own = 0.0, 0
    for i in range(3):
        likeness = [math.exp(20 * cos(U[i], v)) for v in V]
        total -= math.log(likeness[i] / sum(likeness))
        own += likeness[i] == max(likeness)
    part, _ = contrastive_loss(U, V, 20.0, count)
    assert part.loss == pytest.approx(total / (count or 3), rel=1e-12)
    assert part[1:] == (own, 3)


def test_the_length_of_a_vector_is_nothing_to_the_losses():
    longer = U * np.array([[3.0], [0.5], [100.0]])
    for loss in (
        lambda u: cosine_regression_loss(u, V, np.zeros(3), None),
        lambda u: contrastive_loss(u, V, 20.0, None),
    ):
        assert loss(longer)[0].loss == pytest.approx(loss(U)[0].loss, rel=1e-12)


def test_a_pair_alone_has_nothing_to_be_told_from():
    assert contrastive_loss(U[:1], V[:1], 20.0, None)[0].loss == 0


def test_one_vector_for_a_text():
    hidden, mask = RNG.normal(size=(2, 3, 5)), np.array([[True, True, False], [True, True, True]])
    means = [[sum(x[t][d] for t in range(n)) / n for d in range(5)] for x, n in zip(hidden, (2, 3), strict=True)]
    np.testing.assert_allclose(text_vectors(hidden, mask, "mean")[0], means, **CLOSE)
    np.testing.assert_array_equal(text_vectors(hidden, mask, "cls")[0], hidden[:, 0])
