"""A projection with its parameters, and with what LoRA adds to it, if anything does.

The one place that knows how a low-rank part joins a projection: attention and feed-forward network call it.
"""

from typing import NamedTuple

import numpy as np

from minibert.ops import fold_in, linear, linear_backward, low_rank, low_rank_backward
from minibert.ops.linear import LinearCache
from minibert.ops.low_rank import LowRankCache
from minibert.tree import Tree

THIRDS = {"query": 0, "key": 1, "value": 2}  # where a part stands in the fused projection [W^Q | W^K | W^V]


class ProjectionCache(NamedTuple):
    linear: LinearCache
    lora: dict[str, LowRankCache]


def projection(x: np.ndarray, p: Tree, key: int | None = None) -> tuple[np.ndarray, ProjectionCache]:
    """y = x W + b, and in the columns of each part of p["lora"] also s dropout(x) A B.

    x (..., I), p {weight (I, O), bias (O,)} and perhaps lora {part: {A (I, r), B (r, O or O/3), scale (), rate ()}}
    ->  y (..., O), cache. The part "query", "key" or "value" is a third of the columns, any other all of them.
    Each part drops units of its own.
    """
    y, linear_cache = linear(x, p["weight"], p["bias"])  # (..., O)
    caches = {}
    for i, (part, q) in enumerate(p.get("lora", {}).items()):
        scale, rate = float(q["scale"]), float(q["rate"])
        delta, caches[part] = low_rank(x, q["A"], q["B"], scale, rate, fold_in(key, i))  # (..., O or O/3)
        y[..., columns(part, q["B"])] += delta
    return y, ProjectionCache(linear_cache, caches)


def projection_backward(dy: np.ndarray, cache: ProjectionCache) -> tuple[np.ndarray, Tree]:
    """dy (..., O)  ->  dx (..., I), gradients of p. x was used by every part: the gradients add up."""
    dx, dweight, dbias = linear_backward(dy, cache.linear)  # (..., I)
    grads: Tree = {"weight": dweight, "bias": dbias}
    for part, low_rank_cache in cache.lora.items():
        dpart, da, db = low_rank_backward(dy[..., columns(part, low_rank_cache.b)], low_rank_cache)  # (..., I)
        dx += dpart
        grads.setdefault("lora", {})[part] = {"A": da, "B": db}
    return dx, grads


def columns(part: str, b: np.ndarray) -> slice:
    """Return the columns of the projection that B (r, O or O/3) of a part writes to."""
    first = THIRDS.get(part, 0) * b.shape[1]
    return slice(first, first + b.shape[1])
