"""The linear layer: every projection, feed-forward weight and head."""

from typing import NamedTuple

import numpy as np

from minibert.dispatch import op
from minibert.frozen import is_frozen
from minibert.ops.rows import as_rows


class LinearCache(NamedTuple):
    x: np.ndarray  # (..., I)
    weight: np.ndarray  # (I, O)
    bias_trains: bool  # is there a bias, and does it want a gradient?


@op
def linear(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None) -> tuple[np.ndarray, LinearCache]:
    """y = x W + b, over the last axis.

    x (..., I), weight W (I, O), bias b (O,) or None  ->  y (..., O), cache.

    The weight is stored (in, out), as the papers write it; PyTorch's `Linear` stores (out, in).
    """
    y = x @ weight  # (..., O)
    if bias is not None:
        y += bias
    return y, LinearCache(x, weight, bias is not None and not is_frozen(bias))


@op
def linear_backward(dy: np.ndarray, cache: LinearCache) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """dy (..., O)  ->  dx (..., I), dweight (I, O), dbias (O,) or None.

    Written out, y[n, o] = sum_i x[n, i] W[i, o] + b[o]. Hence

        dx[n, i] = sum_o dy[n, o] W[i, o]    dx = dy W^T
        dW[i, o] = sum_n x[n, i] dy[n, o]    dW = x^T dy
        db[o]    = sum_n dy[n, o]

    : each product sums over the one index that the result does not have. None for what is Frozen.
    """
    x, weight, bias_trains = cache
    dx = dy @ weight.T  # (..., I)
    rows = as_rows(dy)  # (N, O)
    dweight = None if is_frozen(weight) else as_rows(x).T @ rows  # (I, O)
    return dx, dweight, rows.sum(0) if bias_trains else None
