"""How alike are two vectors?"""

from typing import NamedTuple

import numpy as np

from minibert.blocks.cosines import all_cosines
from minibert.errors import ConfigError, DataError

SAME = 1e-6  # cosines that differ by less are of equal texts


class Neighbour(NamedTuple):
    """A sentence that was found."""

    index: int
    score: float


def cosine_similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """cos(a_i, b_j) = a_i . b_j / (|a_i| |b_j|).  a (N, D) or (D,), b (M, D) or (D,)  ->  (N, M)."""
    a, b = np.atleast_2d(a), np.atleast_2d(b)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise DataError(f"embeddings to compare must be (N, D) and (M, D) of one width D; got {a.shape} and {b.shape}")
    return all_cosines(a, b)[0]  # (N, M)


def nearest(query: np.ndarray, embeddings: np.ndarray, top_k: int) -> list[Neighbour]:
    """Return the `top_k` of `embeddings` (N, D) that are most like `query` (D,), the most similar first."""
    if top_k < 1:
        raise ConfigError(f"top_k must be at least 1, but is {top_k}")
    (scores,) = cosine_similarity(query, embeddings)  # (N,)
    return [Neighbour(int(i), float(scores[i])) for i in np.argsort(-scores, kind="stable")[:top_k]]


def ranks(u: np.ndarray, v: np.ndarray, rows: int = 1024) -> np.ndarray:
    """u (N, D), v (N, D)  ->  (N,): the place of v_i among all of v, by the cosine with u_i; 1 is the first.

    A text that stands twice is its own equal, not before it. `rows` of u are compared at a time.
    """
    found = np.empty(len(u), np.int64)
    for start in range(0, len(u), rows):
        cosines = all_cosines(u[start : start + rows], v)[0]  # (R, N)
        own = np.take_along_axis(cosines, np.arange(start, start + len(cosines))[:, None], 1)  # (R, 1)
        found[start : start + rows] = 1 + (cosines > own + SAME).sum(1)
    return found


def closest_pairs(embeddings: np.ndarray, top_k: int) -> list[tuple[int, int, float]]:
    """Return the `top_k` pairs (i, j, cosine), i < j, of the rows of (N, D) that are most alike, the best first."""
    if top_k < 1:
        raise ConfigError(f"top_k must be at least 1, but is {top_k}")
    i, j = np.triu_indices(len(embeddings), 1)  # (P,) each
    scores = cosine_similarity(embeddings, embeddings)[i, j]  # (P,)
    best = np.argsort(-scores, kind="stable")[:top_k]
    return [(int(i[p]), int(j[p]), float(scores[p])) for p in best]
