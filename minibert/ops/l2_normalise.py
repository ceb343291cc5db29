"""Vectors of length one, whose dot products are the cosines of the angles between them."""

from typing import NamedTuple

import numpy as np

from minibert.dispatch import op


class L2NormaliseCache(NamedTuple):
    y: np.ndarray  # (..., D)
    length: np.ndarray  # (..., 1) what x was divided by
    clipped: np.ndarray  # (..., 1) booleans: was that eps, x being shorter?


@op
def l2_normalise(x: np.ndarray, eps: float) -> tuple[np.ndarray, L2NormaliseCache]:
    """y = x / max(|x|, eps),  |x| = sqrt(sum_j x_j^2),  over the last axis.

    x (..., D)  ->  y (..., D), cache. The vector 0 has no direction and stays 0.
    """
    norm = np.sqrt((x * x).sum(-1, keepdims=True))  # (..., 1)
    length = np.maximum(norm, x.dtype.type(eps))  # (..., 1)
    y = x / length  # (..., D)
    return y, L2NormaliseCache(y, length, norm < eps)


@op
def l2_normalise_backward(dy: np.ndarray, cache: L2NormaliseCache) -> np.ndarray:
    """dy (..., D)  ->  dx (..., D).

    With d|x|/dx_j = x_j / |x| = y_j, the quotient rule gives

        dx = (dy - y sum_j dy_j y_j) / |x|

    : what points along x only makes it longer, which the division undoes. Where x was divided by eps, a constant,
    dx = dy / eps.
    """
    y, length, clipped = cache
    along = np.where(clipped, 0, (dy * y).sum(-1, keepdims=True))  # (..., 1)
    return (dy - y * along) / length  # (..., D)
