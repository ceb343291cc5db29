"""Dropout (Srivastava et al. 2014) with a counter-based generator.

Whether element i is dropped is a pure function of (key, i): a hash of the two is compared with
the rate. So no mask needs storing (backward hashes again), every backend drops the same units
in whatever order it visits them, and a resumed run continues exactly.
"""

from typing import NamedTuple

import numpy as np

from minibert.dispatch import op
from minibert.errors import ConfigError

MASK64 = (1 << 64) - 1


class DropoutCache(NamedTuple):
    rate: float
    key: int | None


def dropout_key(seed: int, step: int) -> int:
    """Return the key of one training step; `fold_in` derives one for each place in the model."""
    return fold_in(fold_in(0, seed), step)


def fold_in(key: int | None, site: int) -> int | None:
    """Derive the 64-bit key of a sub-site. None, which means no dropout, stays None.

    The mixing is the finaliser of SplitMix64 (Steele, Lea & Flood 2014).
    """
    if key is None:
        return None
    z = (key + (site + 1) * 0x9E3779B97F4A7C15) & MASK64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK64
    return z ^ (z >> 31)


def random_bits(key: int, n: int) -> np.ndarray:
    """Return n hashes of (key, 0), ..., (key, n-1): (n,) uint32.

    Two rounds of the 32-bit mixer "lowbias32" (C. Wellons, Prospecting for Hash Functions,
    2018), with one half of the key before each round: multiplications, shifts and exclusive
    ors of 32 bits only, which a CPU does eight at a time.
    """
    if n > 1 << 32:
        raise ConfigError(f"dropout counts elements in 32 bits, which {n:,} elements exceed: use a smaller batch")
    h = np.arange(n, dtype=np.uint32)
    for half in (key & 0xFFFFFFFF, key >> 32):
        h ^= np.uint32(half)
        h ^= h >> np.uint32(16)
        h *= np.uint32(0x7FEB352D)
        h ^= h >> np.uint32(15)
        h *= np.uint32(0x846CA68B)
        h ^= h >> np.uint32(16)
    return h


def check_rate(rate: float) -> None:
    """Raise `ConfigError` unless 0 <= rate < 1: at 1 nothing is left that could be scaled up."""
    if not 0 <= rate < 1:
        raise ConfigError(f"the rate of dropout must be at least 0 and less than 1, but is {rate}")


def keep_scale(shape: tuple[int, ...], rate: float, key: int | None, dtype: np.dtype) -> np.ndarray | float:
    """Return 1 / (1 - rate) where an element is kept and 0 where it is dropped; 1.0 without dropout.

    The same key gives the same answer again: that is how backward drops what forward dropped.
    """
    check_rate(rate)
    if key is None or rate == 0:
        return 1.0
    kept = random_bits(key, int(np.prod(shape))) >= np.uint32(round(rate * 2**32))  # dropped with probability rate
    return kept.reshape(shape) * np.asarray(1 / (1 - rate), dtype)


@op
def dropout(x: np.ndarray, rate: float, key: int | None) -> tuple[np.ndarray, DropoutCache]:
    """y = m * x,  m = 0 with probability `rate`, else 1 / (1 - rate), elementwise.

    x (...)  ->  y (...), cache. The scaling keeps the expectation: E[y] = x. With key None
    (evaluation) y = x.
    """
    return x * keep_scale(x.shape, rate, key, x.dtype), DropoutCache(rate, key)


@op
def dropout_backward(dy: np.ndarray, cache: DropoutCache) -> np.ndarray:
    """dy (...)  ->  dx (...).  y = m * x with m constant, so dx = m * dy, with m drawn again."""
    return dy * keep_scale(dy.shape, cache.rate, cache.key, dy.dtype)
