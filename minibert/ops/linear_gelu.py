"""A projection followed by GELU, as one op: the first half of the feed-forward network."""

from typing import NamedTuple

import numpy as np

from minibert.dispatch import op
from minibert.ops.activations import GeluCache, GeluTanhCache, gelu, gelu_backward, gelu_tanh, gelu_tanh_backward
from minibert.ops.linear import LinearCache, linear, linear_backward


class LinearGeluCache(NamedTuple):
    linear: LinearCache
    gelu: GeluCache | GeluTanhCache


@op
def linear_gelu(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, tanh_form: bool
) -> tuple[np.ndarray, LinearGeluCache]:
    """y = gelu(x W + b), in the erf form of GELU or, if `tanh_form`, in its tanh form.

    x (..., I), weight (I, O), bias (O,)  ->  y (..., O), cache.
    """
    u, linear_cache = linear(x, weight, bias)  # (..., O)
    y, gelu_cache = (gelu_tanh if tanh_form else gelu)(u)
    return y, LinearGeluCache(linear_cache, gelu_cache)


@op
def linear_gelu_backward(
    dy: np.ndarray, cache: LinearGeluCache
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """dy (..., O)  ->  dx (..., I), dweight (I, O), dbias (O,)."""
    backward = gelu_tanh_backward if isinstance(cache.gelu, GeluTanhCache) else gelu_backward
    return linear_backward(backward(dy, cache.gelu), cache.linear)
