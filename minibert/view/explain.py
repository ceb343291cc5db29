"""Which numbers made a number: for each op, of what each cell of its outputs is the sum.

An explanation is data that the page evaluates for the cell that was clicked. Arrays are named by letters, one an axis,
as in `np.einsum`: y[n, o] = sum over i of x[n, i] W[i, o] is

    Sum("no", over="i", factors=[("x", x, "ni"), ("weight", W, "io")])

The tests evaluate every explanation with NumPy and compare it with what the op returned.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minibert.dispatch import REFERENCE
from minibert.ops import IGNORE_INDEX
from minibert.ops.attention import AttentionCache
from minibert.ops.dropout import keep_scale
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


def explain(record: Record) -> Explained | None:
    """Return what made the numbers of an op; None for an op that only calls others, or is not known here."""
    return EXPLAIN[record.name](record) if record.name in EXPLAIN else None


def explains(*names: str) -> Callable:
    """Register a function that explains ops of these names."""
    return lambda function: EXPLAIN.update(dict.fromkeys(names, function)) or function


def leading(array: np.ndarray) -> str:
    """Return letters for all axes but the last."""
    return "bcnm"[: array.ndim - 1]


@explains("linear")
def linear(r: Record) -> Explained:
    x, weight, bias = r.inputs["x"], r.inputs["weight"], r.inputs.get("bias")
    n = leading(x)
    plus = None if bias is None else ("bias", bias, "o")
    return Explained({"y": Sum(f"{n}o", "i", [("x", x, f"{n}i"), ("weight", weight, "io")], plus)})


@explains("linear_backward")
def linear_backward(r: Record) -> Explained:
    dy, x, weight = r.inputs["dy"], r.cache.x, r.cache.weight
    n = leading(dy)
    return Explained(
        {
            "dx": Sum(f"{n}i", "o", [("dy", dy, f"{n}o"), ("weight", weight, "io")]),
            "dweight": Sum("io", n, [("x", x, f"{n}i"), ("dy", dy, f"{n}o")]),
            "dbias": Sum("o", n, [("dy", dy, f"{n}o")]),
        }
    )


@explains("layer_norm")
def layer_norm(r: Record) -> Explained:
    x, gamma, beta = r.inputs["x"], r.inputs["gamma"], r.inputs["beta"]
    mean, cache = x.mean(-1, keepdims=True), r.cache
    xhat = Elementwise("xhat = (x - mean) * rstd", [("x", x), ("mean", mean), ("rstd", cache.rstd)])
    y = Elementwise("y = gamma * xhat + beta", [("gamma", gamma), ("xhat", cache.xhat), ("beta", beta)])
    return Explained({"y": y}, {"xhat": (cache.xhat, xhat)})


@explains("layer_norm_backward")
def layer_norm_backward(r: Record) -> Explained:
    dy, (xhat, rstd, gamma, _) = r.inputs["dy"], r.cache
    n, g = leading(dy), gamma * dy
    dx = Terms(
        "dx = rstd * (g - mean(g) - xhat * mean(g * xhat)),  g = gamma * dy",
        [
            ("rstd * g", rstd * g),
            ("-rstd * mean(g)", -rstd * g.mean(-1, keepdims=True)),
            ("-rstd * xhat * mean(g * xhat)", -rstd * xhat * (g * xhat).mean(-1, keepdims=True)),
        ],
    )
    dgamma = Sum("d", n, [("dy", dy, f"{n}d"), ("xhat", xhat, f"{n}d")])
    return Explained({"dx": dx, "dgamma": dgamma, "dbeta": Sum("d", n, [("dy", dy, f"{n}d")])})


@explains("dropout", "dropout_backward")
def dropout(r: Record) -> Explained:
    source, made = ("dy", "dx") if r.is_backward else ("x", "y")
    x = r.inputs[source]
    m = np.broadcast_to(np.asarray(keep_scale(x.shape, r.cache.rate, r.cache.key, x.dtype), x.dtype), x.shape)
    return Explained({made: Elementwise(f"{made} = m * {source}", [("m", m), (source, x)])})


@explains("gelu", "gelu_tanh", "tanh")
def activation(r: Record) -> Explained:
    return Explained({"y": Elementwise(f"y = {r.name}(x)", [("x", r.inputs["x"])])})


@explains("gelu_backward", "gelu_tanh_backward", "tanh_backward")
def activation_backward(r: Record) -> Explained:
    dy = r.inputs["dy"]
    slope = REFERENCE[r.name](np.ones_like(dy), r.cache)
    name = r.name.removesuffix("_backward")
    return Explained({"dx": Elementwise(f"dx = dy * {name}'(x)", [("dy", dy), (f"{name}'(x)", slope)])})


@explains("embedding")
def embedding(r: Record) -> Explained:
    return Explained({"y": LookUp(r.inputs["ids"], r.inputs["table"])})


@explains("embedding_backward")
def embedding_backward(r: Record) -> Explained:
    dy, ids = r.inputs["dy"], r.cache.ids
    rows = dy.reshape(-1, dy.shape[-1])
    before = None
    if r.inputs.get("into") is not None:  # it was written to: take off what was added
        looked_up = REFERENCE["embedding_backward"](dy, r.cache)
        before = r.outputs["dtable"] - looked_up
    return Explained({"dtable": Scatter(ids.reshape(-1), rows, before)})


@explains("cross_entropy")
def cross_entropy(r: Record) -> Explained:
    logits, (probs, labels, count, _) = r.inputs["logits"], r.cache
    targets = np.flatnonzero(labels != IGNORE_INDEX)
    losses = -np.log(probs[targets, labels[targets]]) / probs.dtype.type(count)
    softmax = Softmax(logits.reshape(probs.shape))
    return Explained({r_output(r): Sum("", "t", [("-log p[y] / n", losses, "t")])}, {"p": (probs, softmax)})


@explains("cross_entropy_backward")
def cross_entropy_backward(r: Record) -> Explained:
    probs, labels, count, shape = r.cache
    targets = np.flatnonzero(labels != IGNORE_INDEX)
    share = probs.dtype.type(r.inputs["dloss"] / count)
    believed, true = np.zeros_like(probs), np.zeros_like(probs)
    believed[targets] = share * probs[targets]
    true[targets, labels[targets]] = -share
    terms = [("dL * p / n", believed.reshape(shape)), ("-dL * 1{v = y} / n", true.reshape(shape))]
    return Explained({"dlogits": Terms("dlogits = dL * (p - 1{v = y}) / n", terms)})


@explains("attention")
def attention(r: Record) -> Explained:
    cache: AttentionCache = r.cache
    q, k, v, probs = cache.q, cache.k, cache.v, cache.probs
    raw = Sum("bhts", "k", [("q", q, "bhtk"), ("k", k, "bhsk")], scale=cache.scale)
    products = cache.scale * (q @ k.swapaxes(-1, -2))
    scores = hidden_scores(products, cache.bias, r.inputs.get("causal", False))
    inside = {"q k^T": (products, raw)}
    if scores is not products:
        inside["scores"] = (
            scores,
            Elementwise("scores = q k^T, plus bias or -inf where hidden", [("q k^T", products)]),
        )
    inside["P"] = (probs, Softmax(scores))
    dropped = probs
    if cache.key is not None and cache.rate:
        m = keep_scale(probs.shape, cache.rate, cache.key, probs.dtype)
        dropped = m * probs
        inside["D"] = (dropped, Elementwise("D = m * P", [("m", m), ("P", probs)]))
    name = "D" if dropped is not probs else "P"
    return Explained({"out": Sum("bhtk", "s", [(name, dropped, "bhts"), ("v", v, "bhsk")])}, inside)


@explains("attention_backward")
def attention_backward(r: Record) -> Explained:
    dout, (q, k, v, _, scale, probs, rate, key) = r.inputs["dout"], r.cache
    keep = np.broadcast_to(np.asarray(keep_scale(probs.shape, rate, key, probs.dtype), probs.dtype), probs.shape)
    ddropped = dout @ v.swapaxes(-1, -2)
    dprobs, dropped = keep * ddropped, keep * probs
    along = (dprobs * probs).sum(-1, keepdims=True)
    dscores = probs * (dprobs - along)
    terms = [("P * dP", probs * dprobs), ("-P * sum_j dP_j P_j", -probs * along)]
    return Explained(
        {
            "dq": Sum("bhtk", "s", [("dscores", dscores, "bhts"), ("k", k, "bhsk")], scale=scale),
            "dk": Sum("bhsk", "t", [("dscores", dscores, "bhts"), ("q", q, "bhtk")], scale=scale),
            "dv": Sum("bhsk", "t", [("D", dropped, "bhts"), ("dout", dout, "bhtk")]),
        },
        {
            "dD": (ddropped, Sum("bhts", "k", [("dout", dout, "bhtk"), ("v", v, "bhsk")])),
            "dP": (dprobs, Elementwise("dP = m * dD", [("m", keep), ("dD", ddropped)])),
            "dscores": (dscores, Terms("dscores = P * (dP - sum_j dP_j P_j)", terms)),
        },
    )


def hidden_scores(scores: np.ndarray, bias: np.ndarray | None, causal: bool) -> np.ndarray:
    """Return scores (B, H, T, S) as `attention` hides or shifts them."""
    if bias is not None:
        scores = np.where(bias, scores, -np.inf) if bias.dtype == bool else scores + bias
    if causal:
        T, S = scores.shape[-2:]
        scores = np.where(np.tri(T, S, S - T, dtype=bool), scores, -np.inf)
    return scores


def r_output(r: Record) -> str:
    """Return the name of an op's only output."""
    return next(iter(r.outputs))
