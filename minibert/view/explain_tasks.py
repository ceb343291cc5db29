"""Which numbers made those of fine-tuning: losses of tasks, and vectors of whole texts."""

import numpy as np

from minibert.tracing import Record
from minibert.view.explanation import Elementwise, Explained, Softmax, Sum, Terms, explains


@explains("mean_squared_error")
def mean_squared_error(r: Record) -> Explained:
    difference, count = r.cache
    n = "bcnm"[: difference.ndim]
    inside = Elementwise("difference = z - y", [("z", r.inputs["predictions"]), ("y", r.inputs["targets"])])
    factor = ("difference", difference, n)
    return Explained({_loss(r): Sum("", n, [factor, factor], scale=1 / count)}, {"difference": (difference, inside)})


@explains("mean_squared_error_backward")
def mean_squared_error_backward(r: Record) -> Explained:
    difference, count = r.cache
    share = _same(2 * r.inputs["dloss"] / count, difference)
    values = [("2 dL / n", share), ("difference", difference)]
    return Explained({"dpredictions": Elementwise("dpredictions = 2 dL / n * difference", values)})


@explains("binary_cross_entropy")
def binary_cross_entropy(r: Record) -> Explained:
    z, (probs, labels, count) = r.inputs["logits"], r.cache
    n = "bcnm"[: z.ndim]
    terms = np.logaddexp(0, z) - labels * z
    inside = {
        "p": (probs, Elementwise("p = 1 / (1 + exp(-z))", [("z", z)])),
        "term": (terms, Elementwise("term = log(1 + exp(z)) - y * z", [("y", labels), ("z", z)])),
    }
    return Explained({_loss(r): Sum("", n, [("term", terms, n)], scale=1 / count)}, inside)


@explains("binary_cross_entropy_backward")
def binary_cross_entropy_backward(r: Record) -> Explained:
    probs, labels, count = r.cache
    share = _same(r.inputs["dloss"] / count, probs)
    values = [("dL / n", share), ("p", probs), ("y", labels)]
    return Explained({"dlogits": Elementwise("dlogits = dL / n * (p - y)", values)})


@explains("smoothed_cross_entropy")
def smoothed_cross_entropy(r: Record) -> Explained:
    logits, (probs, labels, targets, epsilon, count, _) = r.inputs["logits"], r.cache
    z = logits.reshape(-1, logits.shape[-1])[targets]
    log_p = z - np.logaddexp.reduce(z, axis=-1, keepdims=True)
    q = np.full_like(probs, epsilon / probs.shape[-1])
    q[np.arange(len(labels)), labels] += 1 - epsilon
    losses = -(q * log_p)
    inside = {
        "p": (probs, Softmax(z)),
        "-q log p": (losses, Elementwise("-q log p = -q * log(p)", [("q", q), ("p", probs)])),
    }
    return Explained({_loss(r): Sum("", "tv", [("-q log p", losses, "tv")], scale=1 / count)}, inside)


@explains("smoothed_cross_entropy_backward")
def smoothed_cross_entropy_backward(r: Record) -> Explained:
    probs, labels, targets, epsilon, count, shape = r.cache
    V, share = shape[-1], probs.dtype.type(r.inputs["dloss"] / count)
    believed, true, spread = np.zeros((3, int(np.prod(shape[:-1])), V), probs.dtype)
    believed[targets] = share * probs
    true[targets, labels] = -share * (1 - epsilon)
    spread[targets] = -share * epsilon / V
    terms = [
        ("dL * p / n", believed.reshape(shape)),
        ("-dL * (1 - epsilon) 1{v = y} / n", true.reshape(shape)),
        ("-dL * epsilon / V / n", spread.reshape(shape)),
    ]
    return Explained({"dlogits": Terms("dlogits = dL * (p - (1 - epsilon) 1{v = y} - epsilon / V) / n", terms)})


@explains("mean_pooling")
def mean_pooling(r: Record) -> Explained:
    return Explained({"y": Sum("bd", "t", [("m / sum m", r.cache.weight, "bt"), ("x", r.inputs["x"], "btd")])})


@explains("mean_pooling_backward")
def mean_pooling_backward(r: Record) -> Explained:
    weight = np.broadcast_to(r.cache.weight[:, :, None], r.cache.shape)
    dy = np.broadcast_to(r.inputs["dy"][:, None, :], r.cache.shape)
    return Explained({"dx": Elementwise("dx = m / sum m * dy", [("m / sum m", weight), ("dy", dy)])})


@explains("l2_normalise")
def l2_normalise(r: Record) -> Explained:
    return Explained({"y": Elementwise("y = x / length", [("x", r.inputs["x"]), ("length", r.cache.length)])})


@explains("l2_normalise_backward")
def l2_normalise_backward(r: Record) -> Explained:
    dy, (y, length, clipped) = r.inputs["dy"], r.cache
    along = np.where(clipped, 0, (dy * y).sum(-1, keepdims=True))
    terms = [("dy / length", dy / length), ("-y * sum_j dy_j y_j / length", -y * along / length)]
    return Explained({"dx": Terms("dx = (dy - y * sum_j dy_j y_j) / length", terms)})


def _loss(r: Record) -> str:
    """What the op calls its output."""
    return next(iter(r.outputs))


def _same(number: float, array: np.ndarray) -> np.ndarray:
    """An array of one number everywhere."""
    return np.full_like(array, number)
