"""Cosines of vectors: their dot products, once each has length one."""

from typing import NamedTuple

import numpy as np

from minibert.ops import l2_normalise, l2_normalise_backward

EPS = 1e-12  # shorter vectors count as none: their cosines are 0


class CosinesCache(NamedTuple):
    a: np.ndarray  # (N, D) u, made as long as one
    b: np.ndarray  # (M, D) v, likewise
    u: tuple  # caches of the two normalisations
    v: tuple


def pair_cosines(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, CosinesCache]:
    """c_i = cos(u_i, v_i) = sum_d u_id v_id / (|u_i| |v_i|).

    u (N, D), v (N, D)  ->  c (N,), cache.
    """
    cache = _normalised(u, v)
    return (cache.a * cache.b).sum(-1), cache  # (N,)


def pair_cosines_backward(dc: np.ndarray, cache: CosinesCache) -> tuple[np.ndarray, np.ndarray]:
    """dc (N,)  ->  du (N, D), dv (N, D).

    With a = u / |u| and b = v / |v|, c_i = a_i . b_i, so da_i = dc_i b_i and db_i = dc_i a_i.
    """
    da, db = dc[:, None] * cache.b, dc[:, None] * cache.a  # (N, D) each
    return l2_normalise_backward(da, cache.u), l2_normalise_backward(db, cache.v)


def all_cosines(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, CosinesCache]:
    """c_ij = cos(u_i, v_j).

    u (N, D), v (M, D)  ->  c (N, M), cache.
    """
    cache = _normalised(u, v)
    return cache.a @ cache.b.T, cache  # (N, M)


def all_cosines_backward(dc: np.ndarray, cache: CosinesCache) -> tuple[np.ndarray, np.ndarray]:
    """dc (N, M)  ->  du (N, D), dv (M, D).

    c = a b^T, and each a_i stands in a row of it, each b_j in a column: da = dc b, db = dc^T a.
    """
    da, db = dc @ cache.b, dc.T @ cache.a  # (N, D), (M, D)
    return l2_normalise_backward(da, cache.u), l2_normalise_backward(db, cache.v)


def _normalised(u: np.ndarray, v: np.ndarray) -> CosinesCache:
    (a, u_cache), (b, v_cache) = l2_normalise(u, EPS), l2_normalise(v, EPS)
    return CosinesCache(a, b, u_cache, v_cache)
