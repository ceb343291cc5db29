"""Table look-up: token, position and segment vectors."""

from typing import NamedTuple

import numpy as np

from minibert.dispatch import op
from minibert.frozen import is_frozen
from minibert.ops.rows import as_rows


class EmbeddingCache(NamedTuple):
    ids: np.ndarray  # (...) integers
    table: np.ndarray  # (V, D)


@op
def embedding(ids: np.ndarray, table: np.ndarray) -> tuple[np.ndarray, EmbeddingCache]:
    """y[..., :] = E[ids[...], :].

    ids (...) integers in 0..V-1, table E (V, D)  ->  y (..., D), cache.

    It is the product of a one-hot row with E, without the zeros.
    """
    return np.asarray(table)[ids], EmbeddingCache(ids, table)


@op
def embedding_backward(dy: np.ndarray, cache: EmbeddingCache, into: np.ndarray | None = None) -> np.ndarray | None:
    """dy (..., D)  ->  dtable (V, D), None if the table is Frozen. Ids have no gradient.

    If `into` (V, D) is given, the gradient is added to it, in place: a tied table receives
    gradients from two places, and few of its rows from here.

    A row of E that was looked up several times receives the sum (scatter-add):

        dE[v] = sum over n with ids[n] = v of dy[n]

    Equal ids are brought together by a stable sort, so the order of the sum is fixed.
    """
    ids, table = cache
    if is_frozen(table):
        return None
    dtable = np.zeros_like(table) if into is None else into  # (V, D)
    order = np.argsort(ids, axis=None, kind="stable")  # (N,)
    if order.size:
        sorted_ids = ids.reshape(-1)[order]  # (N,)
        first = np.flatnonzero(np.diff(sorted_ids, prepend=-1))  # (U,) where a new id begins
        dtable[sorted_ids[first]] += np.add.reduceat(as_rows(dy)[order], first, axis=0)  # (U, D)
    return dtable
