"""The feed-forward network with its parameters."""

from typing import NamedTuple

import numpy as np

from minibert import ops
from minibert.blocks.projection import ProjectionCache, projection, projection_backward
from minibert.ops.activations import GeluCache, GeluTanhCache
from minibert.ops.feed_forward import FeedForwardCache
from minibert.tree import Tree

# The names that checkpoints give their activation in `hidden_act`: is it GELU's tanh form?
TANH_FORM = {"gelu": False, "gelu_new": True, "gelu_pytorch_tanh": True}


class StepwiseCache(NamedTuple):
    """Of a network whose projections have low-rank parts: the fused op knows none of them."""

    up: ProjectionCache
    gelu: GeluCache | GeluTanhCache
    down: ProjectionCache
    tanh_form: bool


def feed_forward(
    x: np.ndarray, p: Tree, activation: str, key: int | None = None
) -> tuple[np.ndarray, FeedForwardCache | StepwiseCache]:
    """FFN(x) = act(x W_1 + b_1) W_2 + b_2.

    x (B, T, D), p {up: weight (D, F) and bias, down: weight (F, D) and bias}, activation a key of
    TANH_FORM  ->  y (B, T, D), cache. Only what LoRA adds drops units: see `projection`.
    """
    up, down, tanh_form = p["up"], p["down"], TANH_FORM[activation]
    if "lora" not in up and "lora" not in down:
        return ops.feed_forward(x, up["weight"], up["bias"], down["weight"], down["bias"], tanh_form)
    u, up_cache = projection(x, up, ops.fold_in(key, 0))  # (B, T, F)
    h, gelu_cache = (ops.gelu_tanh if tanh_form else ops.gelu)(u)  # (B, T, F)
    y, down_cache = projection(h, down, ops.fold_in(key, 1))  # (B, T, D)
    return y, StepwiseCache(up_cache, gelu_cache, down_cache, tanh_form)


def feed_forward_backward(dy: np.ndarray, cache: FeedForwardCache | StepwiseCache) -> tuple[np.ndarray, Tree]:
    """dy (B, T, D)  ->  dx (B, T, D), gradients of p."""
    if isinstance(cache, StepwiseCache):
        return _stepwise_backward(dy, cache)
    dx, dw_1, db_1, dw_2, db_2 = ops.feed_forward_backward(dy, cache)
    return dx, {"up": {"weight": dw_1, "bias": db_1}, "down": {"weight": dw_2, "bias": db_2}}


def _stepwise_backward(dy: np.ndarray, cache: StepwiseCache) -> tuple[np.ndarray, Tree]:
    dh, ddown = projection_backward(dy, cache.down)  # (B, T, F)
    du = (ops.gelu_tanh_backward if cache.tanh_form else ops.gelu_backward)(dh, cache.gelu)
    dx, dup = projection_backward(du, cache.up)  # (B, T, D)
    return dx, {"up": dup, "down": ddown}
