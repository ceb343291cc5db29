"""Twin of minibert.ops.linear: the bias is added while a block of the product is in cache."""

import numpy as np
from minibert.kernels.matmul import matmul, weight_gradient

from minibert.frozen import is_frozen
from minibert.ops.linear import LinearCache


def linear(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None) -> tuple[np.ndarray, LinearCache]:
    """y = x W + b, over the last axis. Nothing is copied first, whatever the strides: see `matmul`."""
    y = matmul(np.atleast_2d(x), weight, bias=bias).reshape(*x.shape[:-1], weight.shape[1])
    return y, LinearCache(x, weight, bias is not None and not is_frozen(bias))


def linear_backward(dy: np.ndarray, cache: LinearCache) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """dy (..., O)  ->  dx (..., I), dweight (I, O), dbias (O,) or None; dbias in the same sweep over dy as dweight."""
    x, weight, bias_trains = cache
    return input_gradient(dy, weight), *parameter_gradients(x, dy, weight, bias_trains)


def input_gradient(dy: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """dy (..., O)  ->  dx (..., I)."""
    return matmul(np.atleast_2d(dy), weight.T).reshape(*dy.shape[:-1], weight.shape[0])


def parameter_gradients(
    x: np.ndarray, dy: np.ndarray, weight: np.ndarray, bias_trains: bool
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """x (..., I), dy (..., O)  ->  dweight (I, O), dbias (O,); None for what is Frozen."""
    if is_frozen(weight):
        return None, dy.reshape(-1, dy.shape[-1]).sum(0) if bias_trains else None
    dweight, dbias = weight_gradient(x, dy)  # (I, O), (O,)
    return dweight, dbias if bias_trains else None
