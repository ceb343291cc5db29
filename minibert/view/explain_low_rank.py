"""Which numbers made those of LoRA's low-rank product, forward and backward."""

import numpy as np

from minibert.ops.dropout import keep_scale
from minibert.tracing import Record
from minibert.view.explanation import Elementwise, Explained, Sum, explains, leading


@explains("low_rank")
def low_rank(r: Record) -> Explained:
    x, m, dropped = r.inputs["x"], _mask(r), r.cache.x
    n, h = leading(x), r.cache.h
    inside = {} if m is None else {"dropped": (dropped, Elementwise("dropped = m * x", [("m", m), ("x", x)]))}
    inside["h"] = (h, Sum(f"{n}r", "i", [("x" if m is None else "dropped", dropped, f"{n}i"), ("A", r.cache.a, "ir")]))
    return Explained({"y": Sum(f"{n}o", "r", [("h", h, f"{n}r"), ("B", r.cache.b, "ro")], scale=r.cache.scale)}, inside)


@explains("low_rank_backward")
def low_rank_backward(r: Record) -> Explained:
    dy, (x, _, h, a, b, s) = r.inputs["dy"], r.cache
    n, m = leading(dy), _mask(r)
    dh = s * dy @ b.T
    to_x = Sum(f"{n}i", "r", [("dh", dh, f"{n}r"), ("A", a, "ir")])
    inside = {"dh": (dh, Sum(f"{n}r", "o", [("dy", dy, f"{n}o"), ("B", b, "ro")], scale=s))}
    if m is not None:
        passed = dh @ a.T
        inside["dh A^T"] = (passed, to_x)
        to_x = Elementwise("dx = m * dh A^T", [("m", m), ("dh A^T", passed)])
    outputs = {
        "dx": to_x,
        "da": Sum("ir", n, [("x" if m is None else "dropped", x, f"{n}i"), ("dh", dh, f"{n}r")]),
        "db": Sum("ro", n, [("h", h, f"{n}r"), ("dy", dy, f"{n}o")], scale=s),
    }
    return Explained(outputs, inside)


def _mask(r: Record) -> np.ndarray | None:
    """What dropout multiplied x with; None if it did nothing."""
    x, (rate, key) = r.cache.x, r.cache.dropout
    return None if key is None or not rate else keep_scale(x.shape, rate, key, x.dtype)
