"""One vector for a text, of those of its tokens."""

from typing import NamedTuple

import numpy as np

from minibert.ops import mean_pooling, mean_pooling_backward


class FirstTokenCache(NamedTuple):
    shape: tuple[int, int, int]  # (B, T, D)


def text_vectors(hidden: np.ndarray, mask: np.ndarray | None, pooling: str) -> tuple[np.ndarray, tuple]:
    """The mean of the tokens' vectors, or the first one.

    hidden (B, T, D), mask (B, T) booleans or None for no padding, pooling "mean" or "cls"  ->  vectors (B, D), cache.
    """
    if pooling == "mean":
        return mean_pooling(hidden, mask)
    return hidden[:, 0], FirstTokenCache(hidden.shape)


def text_vectors_backward(dvectors: np.ndarray, cache: tuple) -> np.ndarray:
    """dvectors (B, D)  ->  dhidden (B, T, D). Tokens behind the first receive nothing if only that was taken."""
    if not isinstance(cache, FirstTokenCache):
        return mean_pooling_backward(dvectors, cache)
    dhidden = np.zeros(cache.shape, dvectors.dtype)  # (B, T, D)
    dhidden[:, 0] = dvectors
    return dhidden
