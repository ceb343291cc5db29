"""Rung 1: from tokens' vectors to a sentence's, by Python loops over scalars. 1e-12: a few sums in another order."""

import math

import numpy as np
import pytest

from minibert import ops

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("mask", [None, np.array([[1, 1, 0, 1, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], bool)])
def test_mean_pooling(mask):
    x = RNG.normal(size=(3, 5, 7))
    y, _ = ops.mean_pooling(x, mask)
    assert y.shape == (3, 7)
    for b in range(3):
        tokens = [t for t in range(5) if mask is None or mask[b, t]]
        for d in range(7):
            expected = sum(x[b, t, d] for t in tokens) / max(len(tokens), 1)
            assert y[b, d] == pytest.approx(expected, rel=1e-12, abs=1e-13)


def test_l2_normalise():
    x = RNG.normal(size=(3, 5, 7))
    x[1, 2] = 0
    x[0, 0] *= 1e-3  # shorter than eps
    y, _ = ops.l2_normalise(x, 0.1)
    for row, out in zip(x.reshape(-1, 7), y.reshape(-1, 7), strict=True):
        norm = math.sqrt(sum(v * v for v in row))
        assert out.tolist() == pytest.approx([v / max(norm, 0.1) for v in row], rel=1e-12)
