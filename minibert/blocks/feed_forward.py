"""The position-wise feed-forward network (Vaswani et al. 2017, section 3.3)."""

from typing import Any, NamedTuple

import numpy as np

from minibert.ops import gelu, gelu_backward, gelu_tanh, gelu_tanh_backward, linear, linear_backward
from minibert.ops.linear import LinearCache
from minibert.tree import Tree

# The names that checkpoints give their activation in `hidden_act`.
ACTIVATIONS = {
    "gelu": (gelu, gelu_backward),
    "gelu_new": (gelu_tanh, gelu_tanh_backward),
    "gelu_pytorch_tanh": (gelu_tanh, gelu_tanh_backward),
}


class FeedForwardCache(NamedTuple):
    up: LinearCache
    activation: Any  # the cache of the activation
    down: LinearCache
    name: str  # of the activation


def feed_forward(x: np.ndarray, p: Tree, activation: str) -> tuple[np.ndarray, FeedForwardCache]:
    """FFN(x) = act(x W_1 + b_1) W_2 + b_2, at each position alike.

    x (B, T, D), p {up: weight (D, F) and bias, down: weight (F, D) and bias}, activation a key of
    ACTIVATIONS  ->  y (B, T, D), cache. The paper's act is ReLU; BERT and GPT take GELU.
    """
    h, up = linear(x, p["up"]["weight"], p["up"]["bias"])  # (B, T, F)
    a, act = ACTIVATIONS[activation][0](h)
    y, down = linear(a, p["down"]["weight"], p["down"]["bias"])  # (B, T, D)
    return y, FeedForwardCache(up, act, down, activation)


def feed_forward_backward(dy: np.ndarray, cache: FeedForwardCache) -> tuple[np.ndarray, Tree]:
    """dy (B, T, D)  ->  dx (B, T, D), gradients of p."""
    da, dweight_2, dbias_2 = linear_backward(dy, cache.down)  # (B, T, F)
    dh = ACTIVATIONS[cache.name][1](da, cache.activation)
    dx, dweight_1, dbias_1 = linear_backward(dh, cache.up)  # (B, T, D)
    return dx, {"up": {"weight": dweight_1, "bias": dbias_1}, "down": {"weight": dweight_2, "bias": dbias_2}}
