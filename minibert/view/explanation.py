"""Which numbers made a number: for each op, of what each cell of its outputs is the sum.

An explanation is data that the page evaluates for the cell that was clicked. Arrays are named by letters, one an axis,
as in `np.einsum`: y[n, o] = sum over i of x[n, i] W[i, o] is

    Sum("no", over="i", factors=[("x", x, "ni"), ("weight", W, "io")])

The tests evaluate every explanation with NumPy and compare it with what the op returned.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minibert.tracing import Record

Factor = tuple[str, Any, str]  # name, array, a letter for each axis


class Sum(NamedTuple):
    """out[...] = scale * sum over some letters of the product of the factors, + plus."""

    out: str
    over: str
    factors: list[Factor]
    plus: Factor | None = None
    scale: float = 1.0


class Terms(NamedTuple):
    """A sum of a few named arrays, each broadcasting to the output."""

    formula: str
    terms: list[tuple[str, Any]]


class Elementwise(NamedTuple):
    """Made from the numbers of arrays at the same place (or broadcast to it), as the formula says."""

    formula: str
    values: list[tuple[str, Any]]


class Softmax(NamedTuple):
    """exp(s_j) / sum_i exp(s_i), over the last axis."""

    scores: Any


class LookUp(NamedTuple):
    """y[..., d] = table[ids[...], d]."""

    ids: Any
    table: Any


class Scatter(NamedTuple):
    """dtable[v, d] = sum over n with ids[n] = v of dy[n, d], added to what was there `before`."""

    ids: Any  # (N,)
    dy: Any  # (N, D)
    before: Any | None  # (V, D)


Explanation = Sum | Terms | Elementwise | Softmax | LookUp | Scatter


class Explained(NamedTuple):
    """Of one op: what made each output, and what it computed on the way, in order, with what made that."""

    outputs: dict[str, Explanation]
    inside: dict[str, tuple[Any, Explanation]] = {}  # noqa: RUF012 (never written to)


EXPLAIN: dict[str, Callable[[Record], Explained]] = {}


def explains(*names: str) -> Callable:
    """Register a function that explains ops of these names."""
    return lambda function: EXPLAIN.update(dict.fromkeys(names, function)) or function


def leading(array: np.ndarray) -> str:
    """Return letters for all axes but the last."""
    return "bcnm"[: array.ndim - 1]
