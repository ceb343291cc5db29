"""Twin of minibert.ops.feed_forward, some rows at a time: the wide (rows, F) arrays stay in the last-level cache.

Of those arrays only u = x W_1 + b_1 is kept whole, for backward. gelu(u), which would be as large, is computed a second
time there, beside the derivative: that is cheaper than the way to memory and back. GELU and its derivative are
epilogues of products.
"""

from typing import NamedTuple

import numpy as np
from minibert.kernels.checks import check_shape
from minibert.kernels.compile import as_rows
from minibert.kernels.linear_gelu import LinearGeluCache
from minibert.kernels.matmul import matmul, matmul_gelu, matmul_gelu_grad, weight_gradient

from minibert.dispatch import is_backward_once
from minibert.frozen import is_frozen

WIDE_BYTES = 2 * 1024 * 1024  # of a (rows, F) array


class FeedForwardCache(NamedTuple):
    up: LinearGeluCache
    w_2: np.ndarray  # (F, D)
    bias_trains: bool  # does b_2 want a gradient?


def feed_forward(
    x: np.ndarray, w_1: np.ndarray, b_1: np.ndarray, w_2: np.ndarray, b_2: np.ndarray, tanh_form: bool
) -> tuple[np.ndarray, FeedForwardCache]:
    """FFN(x) = gelu(x W_1 + b_1) W_2 + b_2. A strided x is copied first."""
    rows = as_rows(x)  # (N, D)
    u, y = np.empty((len(rows), len(w_2)), x.dtype), np.empty((len(rows), w_2.shape[1]), x.dtype)  # (N, F), (N, D)
    parts, wide = _parts(u)
    for part in parts:
        h = wide[: len(rows[part])]
        matmul_gelu(rows[part], w_1, b_1, h, u[part], tanh=tanh_form)  # (rows, F)
        matmul(h, w_2, y[part], bias=b_2)
    cache = FeedForwardCache(LinearGeluCache(x, w_1, u, tanh_form, not is_frozen(b_1)), w_2, not is_frozen(b_2))
    return y.reshape(*x.shape[:-1], y.shape[1]), cache


def feed_forward_backward(
    dy: np.ndarray, cache: FeedForwardCache
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """dy (..., D)  ->  dx (..., D), dw_1 (D, F), db_1 (F,), dw_2 (F, D), db_2 (D,).

    The gradients of the weights are added up over the parts, in their order. None for what is Frozen. Inside
    `backward_once` the cache's u is used up.
    """
    (x, w_1, u, tanh_form, b_1_trains), w_2, b_2_trains = cache
    check_shape("dy", dy, (*x.shape[:-1], w_2.shape[1]))
    rows, drows = as_rows(x), as_rows(dy)  # (N, D) both
    dx = np.empty_like(rows)
    first, second = _gradients(w_1), _gradients(w_2)
    parts, wide = _parts(u)
    for part in parts:
        h = u[part] if is_backward_once() else u[part].copy()  # (rows, F) u, which the product makes to gelu(u)
        du = matmul_gelu_grad(drows[part], w_2.T, h, wide[: len(h)], tanh=tanh_form)  # (rows, F) = (dy W_2^T) gelu'(u)
        matmul(du, w_1.T, dx[part])
        _add(first, rows[part], du, part)
        _add(second, h, drows[part], part)
    (dw_1, db_1), (dw_2, db_2) = first, second
    return dx.reshape(x.shape), dw_1, db_1 if b_1_trains else None, dw_2, db_2 if b_2_trains else None


def _parts(u: np.ndarray) -> tuple[list[slice], np.ndarray]:
    """Equal parts of the rows of u (N, F), at least one, even if there are no rows; and an array that holds one."""
    count = max(1, -(-u.nbytes // WIDE_BYTES))
    size = max(1, -(-len(u) // count))
    return [slice(i, i + size) for i in range(0, max(1, len(u)), size)], np.empty((size, u.shape[1]), u.dtype)


def _gradients(weight: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
    """Room for the gradients of a weight (I, O), None if it is Frozen, and of its bias (O,)."""
    dw = None if is_frozen(weight) else np.empty(weight.shape, weight.dtype)
    return dw, np.empty(weight.shape[1], weight.dtype)


def _add(gradients: tuple[np.ndarray | None, np.ndarray], x: np.ndarray, dy: np.ndarray, part: slice) -> None:
    """Add x^T dy and dy.sum(0) to the gradients of a weight and its bias; the first only if it is wanted.

    The first part makes the gradients, so that they need not be cleared before.
    """
    dw, db = gradients
    later = part.start > 0
    if dw is not None:
        weight_gradient(x, dy, dw, db, add=later)
    elif later:
        db += dy.sum(0)
    else:
        dy.sum(0, out=db)
