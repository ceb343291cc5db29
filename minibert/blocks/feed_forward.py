"""The feed-forward network with its parameters."""

import numpy as np

from minibert import ops
from minibert.ops.feed_forward import FeedForwardCache
from minibert.tree import Tree

# The names that checkpoints give their activation in `hidden_act`: is it GELU's tanh form?
TANH_FORM = {"gelu": False, "gelu_new": True, "gelu_pytorch_tanh": True}


def feed_forward(x: np.ndarray, p: Tree, activation: str) -> tuple[np.ndarray, FeedForwardCache]:
    """FFN(x) = act(x W_1 + b_1) W_2 + b_2.

    x (B, T, D), p {up: weight (D, F) and bias, down: weight (F, D) and bias}, activation a key of
    TANH_FORM  ->  y (B, T, D), cache.
    """
    up, down = p["up"], p["down"]
    return ops.feed_forward(x, up["weight"], up["bias"], down["weight"], down["bias"], TANH_FORM[activation])


def feed_forward_backward(dy: np.ndarray, cache: FeedForwardCache) -> tuple[np.ndarray, Tree]:
    """dy (B, T, D)  ->  dx (B, T, D), gradients of p."""
    dx, dw_1, db_1, dw_2, db_2 = ops.feed_forward_backward(dy, cache)
    return dx, {"up": {"weight": dw_1, "bias": db_1}, "down": {"weight": dw_2, "bias": db_2}}
