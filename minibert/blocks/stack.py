"""Layers on top of each other: what is the same for every kind of layer."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minibert.blocks.past import KeyValueCache
from minibert.dispatch import is_backward_once
from minibert.ops import fold_in
from minibert.tree import Tree


class LayerSettings(NamedTuple):
    """What a layer needs to know beside its parameters; the same in all layers of a model."""

    heads: int
    activation: str
    eps: float
    hidden_dropout: float
    attention_dropout: float
    causal: bool = False


def stack(
    layer: Callable,
    x: np.ndarray,
    p: Tree,
    settings: LayerSettings,
    bias: np.ndarray | None,
    key: int | None,
    past: KeyValueCache | None = None,
) -> tuple[list[np.ndarray], list[Any]]:
    """Run `layer` with the parameters p["layers"]["0"], ["1"], ... one after the other.

    x (B, T, D)  ->  hidden states: x and the output of every layer, (B, T, D) each; caches.
    """
    hidden, caches = [x], []
    for i, p_layer in enumerate(p["layers"].values()):
        before = None if past is None else past.layer(i)
        y, cache = layer(hidden[-1], p_layer, settings, bias, fold_in(key, i), before)
        hidden.append(y)
        caches.append(cache)
    return hidden, caches


def stack_backward(layer_backward: Callable, dy: np.ndarray, caches: list[Any]) -> tuple[np.ndarray, Tree]:
    """dy (B, T, D), of the last hidden state  ->  dx (B, T, D), gradients of p.

    Inside `backward_once` each layer's cache is dropped with the layer: the gradients take its place in memory.
    """
    layers: Tree = {}
    remaining = caches if is_backward_once() else list(caches)
    while remaining:
        i = len(remaining) - 1
        dy, layers[str(i)] = layer_backward(dy, remaining.pop())
    return dy, {"layers": dict(reversed(layers.items()))}
