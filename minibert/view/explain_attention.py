"""Which numbers made the numbers of attention, forward and backward."""

import numpy as np

from minibert.ops.attention import AttentionCache
from minibert.ops.dropout import keep_scale
from minibert.tracing import Record
from minibert.view.explanation import Elementwise, Explained, Softmax, Sum, Terms, explains


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
