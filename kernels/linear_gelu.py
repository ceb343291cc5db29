"""Twin of minibert.ops.linear_gelu: bias and GELU are applied while a block of the product is in cache."""

from typing import NamedTuple

import numpy as np
from minibert.kernels.activations import GeluCache, GeluTanhCache, gelu_backward, gelu_tanh_backward
from minibert.kernels.linear import input_gradient, parameter_gradients
from minibert.kernels.matmul import matmul_gelu

from minibert.frozen import is_frozen


class LinearGeluCache(NamedTuple):
    x: np.ndarray  # (..., I)
    weight: np.ndarray  # (I, O)
    u: np.ndarray  # (..., O) x W + b
    tanh_form: bool
    bias_trains: bool


def linear_gelu(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, tanh_form: bool
) -> tuple[np.ndarray, LinearGeluCache]:
    """y = gelu(x W + b)."""
    y, u = matmul_gelu(np.atleast_2d(x), weight, bias, tanh=tanh_form)
    y, u = (a.reshape(*x.shape[:-1], weight.shape[1]) for a in (y, u))  # (..., O) both
    return y, LinearGeluCache(x, weight, u, tanh_form, not is_frozen(bias))


def linear_gelu_backward(
    dy: np.ndarray, cache: LinearGeluCache
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """dy (..., O)  ->  dx (..., I), dweight (I, O), dbias (O,)."""
    x, weight, u, tanh_form, bias_trains = cache
    du = gelu_tanh_backward(dy, GeluTanhCache(u)) if tanh_form else gelu_backward(dy, GeluCache(u))  # (..., O)
    return input_gradient(du, weight), *parameter_gradients(x, du, weight, bias_trains)
