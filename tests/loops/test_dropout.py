"""Dropout: the generator by its definition, its statistics, and that backward drops what forward dropped."""

import numpy as np
import pytest

from minibert import ops
from minibert.ops.dropout import random_bits


def hash_by_hand(key: int, element: int) -> int:
    h = element
    for half in (key & 0xFFFFFFFF, key >> 32):
        h ^= half
        h ^= h >> 16
        h = h * 0x7FEB352D % 2**32
        h ^= h >> 15
        h = h * 0x846CA68B % 2**32
        h ^= h >> 16
    return h


def test_bits_are_those_of_the_definition():
    key = ops.dropout_key(3, 14)
    assert [int(b) for b in random_bits(key, 50)] == [hash_by_hand(key, i) for i in range(50)]


def test_bits_are_uniform():
    bits = random_bits(ops.dropout_key(0, 0), 1 << 20)
    counts = np.bincount(bits >> np.uint32(24), minlength=256)  # chi-square with 255 degrees of freedom
    chi2 = ((counts - 4096) ** 2 / 4096).sum()
    assert 170 < chi2 < 360  # both ends have a probability below 1e-5


@pytest.mark.parametrize("change", [(1, 0), (0, 1), "site"])
def test_another_seed_step_or_site_gives_independent_bits(change):
    key = ops.dropout_key(0, 0)
    other = ops.fold_in(key, 1) if change == "site" else ops.dropout_key(*change)
    a, b = (random_bits(k, 1 << 20) / 2**32 - 0.5 for k in (key, other))
    assert abs(12 * np.mean(a * b)) < 5 / 1024  # correlation: five standard deviations of 1 / sqrt(n)


def test_rate_and_scale():
    x = np.ones(1 << 20)
    y, _ = ops.dropout(x, 0.1, ops.dropout_key(1, 2))
    assert set(np.unique(y)) == {0.0, 1 / 0.9}
    assert abs((y == 0).mean() - 0.1) < 5 * np.sqrt(0.09 / x.size)


def test_backward_drops_what_forward_dropped():
    x = np.random.default_rng(0).normal(size=(7, 11))
    y, cache = ops.dropout(x, 0.5, 99)
    np.testing.assert_array_equal(ops.dropout_backward(x, cache), y)


@pytest.mark.parametrize(("rate", "key"), [(0.5, None), (0.0, 99)])
def test_without_key_or_rate_nothing_is_dropped(rate, key):
    x = np.random.default_rng(0).normal(size=(7, 11))
    np.testing.assert_array_equal(ops.dropout(x, rate, key)[0], x)


def test_no_key_has_no_children():
    assert ops.fold_in(None, 3) is None
