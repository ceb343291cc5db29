"""A low-rank product: what LoRA adds to a projection (Hu et al. 2021, arXiv:2106.09685, section 4.1)."""

from typing import NamedTuple

import numpy as np

from minibert.dispatch import op
from minibert.frozen import is_frozen
from minibert.ops.dropout import DropoutCache, dropout, dropout_backward
from minibert.ops.rows import as_rows


class LowRankCache(NamedTuple):
    x: np.ndarray  # (..., I) after dropout
    dropout: DropoutCache
    h: np.ndarray  # (..., r)
    a: np.ndarray  # (I, r)
    b: np.ndarray  # (r, O)
    scale: float


@op
def low_rank(
    x: np.ndarray, a: np.ndarray, b: np.ndarray, scale: float, rate: float, key: int | None
) -> tuple[np.ndarray, LowRankCache]:
    """y = s dropout(x) A B.

    x (..., I), a (I, r), b (r, O)  ->  y (..., O), cache.

    A B has I O numbers but rank r only, and r (I + O) numbers describe it. The paper writes h = W_0 x + (alpha / r)
    B A x with column vectors; for rows the order turns round: s = alpha / r, and A, which stands next to x in both,
    is the one drawn at random, while B begins as zeros.
    """
    dropped, dropout_cache = dropout(x, rate, key)  # (..., I)
    h = dropped @ a  # (..., r)
    return scale * (h @ b), LowRankCache(dropped, dropout_cache, h, a, b, scale)  # (..., O)


@op
def low_rank_backward(dy: np.ndarray, cache: LowRankCache) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """dy (..., O)  ->  dx (..., I), da (I, r), db (r, O).

    y = s h B with h = m * x A, two linear layers without a bias, m being dropout's mask. Each passes on what
    `linear_backward` derives:

        dB = s h^T dy    dh = s dy B^T    dA = (m * x)^T dh    dx = m * (dh A^T)

    At the beginning B = 0, so dA = 0: in the first step B alone moves. None for what is Frozen.
    """
    x, dropout_cache, h, a, b, scale = cache
    dy = scale * as_rows(dy)  # (N, O)
    dh = dy @ b.T  # (N, r)
    da = None if is_frozen(a) else as_rows(x).T @ dh  # (I, r)
    db = None if is_frozen(b) else as_rows(h).T @ dy  # (r, O)
    return dropout_backward((dh @ a.T).reshape(x.shape), dropout_cache), da, db
