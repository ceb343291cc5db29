"""Layers on top of each other: what is the same for every kind of layer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np

from minibert.blocks.past import KeyValueCache
from minibert.dispatch import is_backward_once
from minibert.frozen import all_frozen, is_frozen
from minibert.ops import fold_in
from minibert.tree import Tree

_shown: ContextVar[Callable[[str, Tree], Any] | None] = ContextVar("shown", default=None)


class LayerSettings(NamedTuple):
    """What a layer needs to know beside its parameters; the same in all layers of a model."""

    heads: int
    activation: str
    eps: float
    hidden_dropout: float
    attention_dropout: float
    causal: bool = False


class StackCache(list):
    """The caches of the layers, from the bottom to the top."""

    input_is_constant = False  # is x Frozen?
    constant = 0  # how many layers from the bottom are constant too: nothing in them, nor below, may train


def stack(
    layer: Callable,
    x: np.ndarray,
    p: Tree,
    settings: LayerSettings,
    bias: np.ndarray | None,
    key: int | None,
    past: KeyValueCache | None = None,
) -> tuple[list[np.ndarray], StackCache]:
    """Run `layer` with the parameters p["layers"]["0"], ["1"], ... one after the other.

    x (B, T, D)  ->  hidden states: x and the output of every layer, (B, T, D) each; caches.
    A Frozen x is a constant: backward has no need to reach it.
    """
    hidden, caches = [x], StackCache()
    caches.input_is_constant = is_frozen(x)
    for i, p_layer in enumerate(p["layers"].values()):
        before = None if past is None else past.layer(i)
        y, cache = layer(hidden[-1], p_layer, settings, bias, fold_in(key, i), before)
        hidden.append(y)
        caches.append(cache)
        if caches.input_is_constant and caches.constant == i and all_frozen(p_layer):
            caches.constant += 1
    return hidden, caches


@contextmanager
def show_layers(to: Callable[[str, Tree], Any]) -> Iterator[None]:
    """Call `to("layers.i", gradients)` inside a `with` block as soon as layer i has its own, the last layer first.

    What is far from here, as other ranks, can so begin with them while the layers below are still at work.
    """
    token = _shown.set(to)
    try:
        yield
    finally:
        _shown.reset(token)


def stack_backward(layer_backward: Callable, dy: np.ndarray, caches: StackCache) -> tuple[np.ndarray | None, Tree]:
    """dy (B, T, D), of the last hidden state  ->  dx (B, T, D), gradients of p.

    Below the lowest parameter that may train there is nothing to do: dx is None if x is a constant.
    Inside `backward_once` each layer's cache is dropped with the layer: the gradients take its place in memory.
    """
    layers: Tree = {}
    remaining = caches if is_backward_once() else list(caches)
    show = _shown.get()
    for i in reversed(range(caches.constant, len(caches))):
        dy, layers[str(i)] = layer_backward(dy, remaining.pop())
        if show:
            show(f"layers.{i}", layers[str(i)])
    return None if caches.input_is_constant else dy, {"layers": dict(reversed(layers.items()))}
