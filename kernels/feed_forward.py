"""Twin of minibert.ops.feed_forward: GELU on the way up and its derivative on the way back are epilogues."""

from typing import NamedTuple

import numpy as np
from minibert.kernels.linear_gelu import LinearGeluCache
from minibert.kernels.matmul import matmul, matmul_gelu, matmul_gelu_grad, weight_gradient


class FeedForwardCache(NamedTuple):
    up: LinearGeluCache
    h: np.ndarray  # (..., F) gelu(u)
    w_2: np.ndarray  # (F, D)


def feed_forward(
    x: np.ndarray, w_1: np.ndarray, b_1: np.ndarray, w_2: np.ndarray, b_2: np.ndarray, tanh_form: bool
) -> tuple[np.ndarray, FeedForwardCache]:
    """FFN(x) = gelu(x W_1 + b_1) W_2 + b_2."""
    h, u = matmul_gelu(x, w_1, b_1, tanh=tanh_form)  # (..., F) both
    cache = FeedForwardCache(LinearGeluCache(x, w_1, u, tanh_form), h, w_2)
    return matmul(h, w_2, bias=b_2), cache  # (..., D)


def feed_forward_backward(
    dy: np.ndarray, cache: FeedForwardCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """dy (..., D)  ->  dx (..., D), dw_1 (D, F), db_1 (F,), dw_2 (F, D), db_2 (D,)."""
    (x, w_1, u, tanh_form), h, w_2 = cache
    du = matmul_gelu_grad(dy, w_2.T, u, tanh=tanh_form)  # (..., F) = (dy W_2^T) gelu'(u)
    return matmul(du, w_1.T), *weight_gradient(x, du), *weight_gradient(h, dy)
