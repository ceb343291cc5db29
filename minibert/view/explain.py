"""Which numbers made the numbers of each op: see `minibert.view.explanation`."""

import numpy as np

from minibert.dispatch import REFERENCE
from minibert.ops import IGNORE_INDEX
from minibert.ops.dropout import keep_scale
from minibert.tracing import Record
from minibert.view import explain_attention, explain_low_rank, explain_tasks  # noqa: F401 (they register more)
from minibert.view.explanation import (
    EXPLAIN,
    Elementwise,
    Explained,
    LookUp,
    Scatter,
    Softmax,
    Sum,
    Terms,
    explains,
    leading,
)


def explain(record: Record) -> Explained | None:
    """Return what made the numbers of an op; None for an op that only calls others, or is not known here."""
    return EXPLAIN[record.name](record) if record.name in EXPLAIN else None


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
    return Explained({next(iter(r.outputs)): Sum("", "t", [("-log p[y] / n", losses, "t")])}, {"p": (probs, softmax)})


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
