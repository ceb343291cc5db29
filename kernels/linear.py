"""Twin of minibert.ops.linear: the bias is added while a block of the product is in cache."""

import numpy as np
from minibert.kernels.matmul import matmul, weight_gradient

from minibert.ops.linear import LinearCache


def linear(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None) -> tuple[np.ndarray, LinearCache]:
    """y = x W + b, over the last axis. Nothing is copied first, whatever the strides."""
    return matmul(x, weight, bias=bias), LinearCache(x, weight, bias is not None)


def linear_backward(dy: np.ndarray, cache: LinearCache) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """dy (..., O)  ->  dx (..., I), dweight (I, O), dbias (O,) or None; dbias in the same sweep over dy as dweight."""
    x, weight, has_bias = cache
    dweight, dbias = weight_gradient(x, dy)  # (I, O), (O,)
    return matmul(dy, weight.T), dweight, dbias if has_bias else None
