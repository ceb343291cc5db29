"""A gradient check to look at: which element of which gradient is wrong, and by how much."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minibert.gradcheck import op_gradients
from minibert.view.page import Page
from minibert.view.windows import Windows

TOLERANCE = 1e-6  # a relative error above it is a mistake, not rounding
SHOWN = 64  # indices of an axis


def gradient_check_view(forward: Callable, backward: Callable, *args: Any, seed: int = 0) -> Page:
    """Return a view of every gradient of an op: what backward says, what differences say, the relative error.

    Edit `backward` and run it again: the wrong elements light up.

    Parameters
    ----------
    forward, backward : callable
        A pure pair, as in `minibert.ops`.
    *args
        Arguments of `forward`, small ones: each element of each float64 array is moved four times.
    seed : int
        Of the random cotangent.

    Returns
    -------
    Page
        Shows itself in Jupyter (extra `lessons`); `.to_html(path)` writes it.

    Raises
    ------
    DataError
        If a gradient is missing, or has another shape than its argument.
    """
    windows = Windows(SHOWN, {})
    gradients = [
        {
            "name": f"d{name}",
            "analytic": windows.add(analytic),
            "numeric": windows.add(numeric),
            "error": windows.add(errors),
            **_verdict(errors),
        }
        for name, (analytic, numeric, errors) in op_gradients(forward, backward, *args, seed=seed).items()
    ]
    arrays, numbers = windows.pack()
    for gradient in gradients:
        _scale(*(arrays[gradient[kind]] for kind in ("analytic", "numeric", "error")))
    title = f"Gradient check of {backward.__name__}"
    data = {"view": "gradient_check", "title": title, "gradients": gradients, "arrays": arrays, "tolerance": TOLERANCE}
    return Page(title, data, numbers)


def _scale(analytic: dict[str, Any], numeric: dict[str, Any], error: dict[str, Any]) -> None:
    """One scale of colours for what is compared; an error that is mere rounding shall not shine."""
    least, most = min(analytic["min"], numeric["min"]), max(analytic["max"], numeric["max"])
    for array in (analytic, numeric):
        array.update(min=least, max=most)
    error.update(min=0.0, max=max(error["max"], TOLERANCE))


def _verdict(errors: np.ndarray) -> dict[str, Any]:
    """How many elements are wrong, and which one is the worst. No number at all is the worst of errors."""
    sizes = np.nan_to_num(errors, nan=np.inf)
    worst = np.unravel_index(sizes.argmax(), sizes.shape)
    return {"wrong": int((sizes > TOLERANCE).sum()), "of": errors.size, "worst": [int(i) for i in worst]}
