"""Explanations as JSON, with the parts of arrays that a page needs to evaluate them."""

from functools import singledispatch
from typing import Any

import numpy as np

from minibert.view.explanation import Elementwise, Factor, LookUp, Scatter, Softmax, Sum, Terms
from minibert.view.windows import Windows


def explanation_data(explanation: Any, output: Any, windows: Windows) -> dict[str, Any]:
    """Return {"e": ...} for an explanation of `output`, {} for None."""
    return {} if explanation is None else {"e": _data(explanation, np.shape(output), windows)}


@singledispatch
def _data(explanation: Any, shape: tuple[int, ...], windows: Windows) -> dict[str, Any]:
    raise TypeError(f"no explanation: {explanation!r}")


@_data.register
def _(e: Sum, shape: tuple[int, ...], windows: Windows) -> dict[str, Any]:
    """A factor is needed at the shown indices of the output, along what is summed over as a whole."""
    shown = dict(zip(e.out, map(windows.shown, shape), strict=True)) | dict.fromkeys(e.over)

    def factor(f: Factor) -> dict[str, Any]:
        name, array, letters = f
        return {"n": name, "a": windows.add(array, [shown[letter] for letter in letters]), "letters": letters}

    return {
        "kind": "sum",
        "out": e.out,
        "over": e.over,
        "factors": [factor(f) for f in e.factors],
        "plus": factor(e.plus) if e.plus else None,
        "scale": float(e.scale),
    }


@_data.register
def _(e: Terms, shape: tuple[int, ...], windows: Windows) -> dict[str, Any]:
    return {"kind": "terms", "formula": e.formula, "terms": [{"n": n, "a": windows.add(a)} for n, a in e.terms]}


@_data.register
def _(e: Elementwise, shape: tuple[int, ...], windows: Windows) -> dict[str, Any]:
    values = [{"n": n, "a": windows.add(a)} for n, a in e.values]
    return {"kind": "elementwise", "formula": e.formula, "values": values}


@_data.register
def _(e: Softmax, shape: tuple[int, ...], windows: Windows) -> dict[str, Any]:
    rows = [windows.shown(n) for n in shape[:-1]]
    return {"kind": "softmax", "scores": {"n": "s", "a": windows.add(e.scores, [*rows, None])}}


@_data.register
def _(e: LookUp, shape: tuple[int, ...], windows: Windows) -> dict[str, Any]:
    ids = np.asarray(e.ids)
    shown = ids[np.ix_(*map(windows.shown, ids.shape))]
    rows = sorted(set(shown.reshape(-1).tolist()))
    table = windows.add(e.table, [rows, windows.shown(shape[-1])])
    return {"kind": "lookup", "ids": {"n": "ids", "a": windows.add(ids)}, "table": {"n": "table", "a": table}}


@_data.register
def _(e: Scatter, shape: tuple[int, ...], windows: Windows) -> dict[str, Any]:
    before = None if e.before is None else {"n": "before", "a": windows.add(e.before)}
    ids, dy = windows.add(e.ids, [None]), windows.add(e.dy, [None, windows.shown(shape[-1])])
    return {"kind": "scatter", "ids": {"n": "ids", "a": ids}, "dy": {"n": "dy", "a": dy}, "before": before}
