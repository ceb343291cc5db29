"""Check a learner's answer without giving it away.

A backward pass needs no solution to be checked: finite differences of its forward pass tell whether it is right.
Other answers are compared with what minibert computes in another way. An answer of None is not answered yet.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from minibert.errors import DataError
from minibert.gradcheck import check_op

TOLERANCE = 1e-6  # relative error of a right gradient


def check_value(number: int, answer: ArrayLike | None, expected: ArrayLike, hint: str = "", rtol: float = 1e-6) -> None:
    """Print whether `answer` is right: `expected` within rtol of its largest element, or 1e-9.

    Parameters
    ----------
    number : int
        Of the exercise.
    answer, expected : numbers or arrays
        None for an answer means that the learner has not begun.
    hint : str
        Printed with a wrong answer.
    rtol : float
    """
    if answer is None:
        return _say(number, "not answered yet")
    answer, expected = np.asarray(answer), np.asarray(expected)
    if answer.shape != expected.shape:
        return _say(number, f"not yet: the shape is {answer.shape} and should be {expected.shape}")
    scale = np.abs(expected).max(initial=0)
    if np.all(np.abs(answer - expected) <= rtol * scale + 1e-9):
        return _say(number, "right")
    return _say(number, f"not yet: {hint}" if hint else "not yet")


def check_backward(number: int, forward: Callable, backward: Callable, *args: Any) -> None:
    """Print whether `backward` is the derivative of `forward` at `args`, or the element where it is most wrong.

    Parameters
    ----------
    number : int
        Of the exercise.
    forward, backward : callable
        A pure pair `y, cache = forward(*args)`, `grads = backward(dy, cache)`; see `minibert.gradcheck.check_op`.
    *args
        Arrays of float64 are moved.
    """
    y, cache = forward(*args)
    if backward(np.ones_like(y), cache) is None:
        return _say(number, "not answered yet")
    try:
        errors = check_op(forward, backward, *args)
    except DataError as error:  # a gradient is missing, or has another shape
        return _say(number, f"not yet: {error}")
    worst = max(errors, key=lambda e: np.nan_to_num(e.relative_error, nan=np.inf))
    if worst.relative_error <= TOLERANCE:
        return _say(number, "right")
    index = ", ".join(map(str, worst.index))
    return _say(
        number,
        f"not yet: d{worst.name}[{index}] is {worst.analytic:.6g}, but moving {worst.name}[{index}] "
        f"changes the loss at a rate of {worst.numeric:.6g}",
    )


def _say(number: int, verdict: str) -> None:
    print(f"Exercise {number}: {verdict.strip()}.")
