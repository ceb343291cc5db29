"""Mean pooling: one vector for a text, the average of its tokens' (Reimers & Gurevych 2019, arXiv:1908.10084)."""

from typing import NamedTuple

import numpy as np

from minibert.dispatch import op


class MeanPoolingCache(NamedTuple):
    weight: np.ndarray  # (B, T) 1 / (number of tokens) where there is a token, 0 where there is padding
    shape: tuple[int, int, int]  # (B, T, D)


@op
def mean_pooling(x: np.ndarray, mask: np.ndarray | None) -> tuple[np.ndarray, MeanPoolingCache]:
    """y = sum_t m_t x_t / sum_t m_t, for each sequence.

    x (B, T, D), mask m (B, T) booleans or None for no padding  ->  y (B, D), cache. A sequence without a token has
    the vector 0.
    """
    tokens = np.ones(x.shape[:2], bool) if mask is None else mask  # (B, T)
    count = np.maximum(tokens.sum(-1, keepdims=True), 1)  # (B, 1)
    weight = (tokens / count).astype(x.dtype)  # (B, T)
    return (weight[:, None, :] @ x)[:, 0], MeanPoolingCache(weight, x.shape)  # (B, 1, T) @ (B, T, D) -> (B, D)


@op
def mean_pooling_backward(dy: np.ndarray, cache: MeanPoolingCache) -> np.ndarray:
    """dy (B, D)  ->  dx (B, T, D).

    y is linear in x, so each token of a sequence receives dy in the proportion in which it was taken:
    dx_t = m_t / (sum_s m_s) dy.
    """
    return cache.weight[:, :, None] * dy[:, None, :]  # (B, T, D)
