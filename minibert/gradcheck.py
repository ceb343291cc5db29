"""Gradient checks: is a hand-written backward pass the derivative of its forward pass?

The derivative of f at x is measured, without any calculus on paper, by moving x a little:

    f'(x) ~ (8 (f(x + h) - f(x - h)) - (f(x + 2h) - f(x - 2h))) / (12 h)

the central difference of fourth order, whose error falls with h^4. In float64 with h = 1e-4
it has about ten good digits, so a wrong sign, axis or factor cannot hide. An op with an array
y as output is made a scalar by a random cotangent dy: L = sum(dy * y). (All ones would not
do: the rows of a softmax sum to one, so sum(y) has no gradient, right or wrong.)
"""

import inspect
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from minibert.errors import DataError
from minibert.tree import Tree, flatten, tree_get, tree_items, tree_map, unflatten

STEP = 1e-4
FLOOR = 1e-3  # elements smaller than this share of the largest are measured against that share


class GradientError(NamedTuple):
    """The worst element of one array's gradient."""

    name: str
    shape: tuple[int, ...]
    checked: int  # number of elements
    index: tuple[int, ...]  # where the worst element is
    analytic: float
    numeric: float
    relative_error: float


def check_op(forward: Callable, backward: Callable, *args, seed: int = 0) -> list[GradientError]:
    """Check `grads = backward(dy, cache)` of `y, cache = forward(*args)`, every element of every argument.

    Parameters
    ----------
    forward, backward : callable
        A pure pair, as in `minibert.ops`: gradients come in the order of the arguments.
    *args
        Arguments of `forward`. Arrays of float64 are differentiated; everything else is held fixed.
    seed : int
        Of the random cotangent.

    Returns
    -------
    list of GradientError
        One for each differentiated argument.
    """
    return check_gradients(*_op_case(forward, backward, args, seed))


def check_gradients(
    loss: Callable[[Tree], float], inputs: Tree, grads: Tree, samples: int | None = None, seed: int = 0
) -> list[GradientError]:
    """Compare `grads` with differences of `loss`, element by element.

    Parameters
    ----------
    loss : callable
        Maps a tree like `inputs` to a number.
    inputs : tree of float64 arrays
        Where the gradient is taken. It is copied, not changed.
    grads : tree
        What the backward pass says: the shapes of `inputs`.
    samples : int, optional
        Check that many random elements of each array instead of all.
    seed : int
        Of the choice of elements.

    Returns
    -------
    list of GradientError
        One for each array, in the order of the tree. The relative error of an element is
        |a - n| / max(|a|, |n|, 0.001 max |n|), and 1e-4 at least in the denominator: below it the
        rounding of the loss is all that a difference measures.
    """
    rng = _generator(seed)
    inputs = tree_map(np.array, inputs)
    flat_grads = flatten(grads)
    return [
        _worst(name, flat_grads[name], {i: _difference(loss, inputs, leaf, i) for i in _indices(leaf, samples, rng)})
        for name, leaf in tree_items(inputs)
    ]


def check_direction(loss: Callable[[Tree], float], inputs: Tree, grads: Tree, seed: int = 0) -> GradientError:
    """Compare the slope of `loss` along one random direction in all of `inputs` with <grads, direction>.

    A single number that every element of every gradient enters.
    """
    rng = _generator(seed)
    direction = tree_map(lambda leaf: rng.normal(size=leaf.shape) / np.sqrt(leaf.size), inputs)
    analytic = sum(np.vdot(tree_get(grads, name), d) for name, d in tree_items(direction))
    t = np.zeros(())
    numeric = _difference(
        lambda move: loss(tree_map(lambda x, d: x + move["t"] * d, inputs, direction)), {"t": t}, t, ()
    )
    return _worst("random direction", np.array(analytic), {(): numeric})


def numeric_gradients(loss: Callable[[Tree], float], inputs: Tree) -> Tree:
    """Return the gradient of `loss` by every element of `inputs`, as differences: a tree of the same shape."""
    inputs = tree_map(np.array, inputs)
    differences = {
        name: np.array([_difference(loss, inputs, leaf, i) for i in np.ndindex(leaf.shape)]).reshape(leaf.shape)
        for name, leaf in tree_items(inputs)
    }
    return unflatten(differences)


def op_gradients(forward: Callable, backward: Callable, *args, seed: int = 0) -> dict[str, tuple[np.ndarray, ...]]:
    """Return {argument: (what backward says, what differences say, relative errors)}: see `check_op`.

    Raises
    ------
    DataError
        If a gradient is missing, or has another shape than its argument.
    """
    loss, inputs, grads = _op_case(forward, backward, args, seed)
    numeric = numeric_gradients(loss, inputs)
    return {n: (grads[n], numeric[n], relative_errors(grads[n], numeric[n])) for n in inputs}


def relative_errors(analytic: np.ndarray, numeric: np.ndarray) -> np.ndarray:
    """Return |a - n| / max(|a|, |n|, floor) of each element: see `check_gradients`."""
    floor = max(1e-4, FLOOR * np.abs(numeric).max(initial=0))
    return np.abs(analytic - numeric) / np.maximum(np.maximum(np.abs(analytic), np.abs(numeric)), floor)


def _op_case(forward: Callable, backward: Callable, args: tuple, seed: int) -> tuple[Callable, Tree, Tree]:
    """The op as a scalar function of its arrays, these arrays, and the gradients by them that `backward` returns."""
    names = list(inspect.signature(forward).parameters)
    inputs = {n: a for n, a in zip(names, args, strict=False) if isinstance(a, np.ndarray) and a.dtype == np.float64}
    y, cache = forward(*args)
    dy = _generator(seed).normal(size=np.shape(y))
    grads = backward(dy, cache)
    grads = [g for g in (grads if isinstance(grads, tuple) else (grads,)) if g is not None]
    if len(grads) != len(inputs):
        wanted = ", ".join(f"d{name}" for name in inputs)
        raise DataError(f"backward must return {wanted} (arrays, in this order), but returned {len(grads)} arrays")
    for name, x, grad in zip(inputs, inputs.values(), grads, strict=True):
        if np.shape(grad) != x.shape:
            raise DataError(f"d{name} has shape {np.shape(grad)}, but {name} has {x.shape}: they must be equal")

    def loss(moved: Tree) -> float:
        return np.sum(dy * forward(*(moved.get(n, a) for n, a in zip(names, args, strict=False)))[0])

    return loss, inputs, dict(zip(inputs, grads, strict=True))


def _generator(seed: int) -> np.random.Generator:
    """Not default_rng(seed), which the inputs may come from too: with dy = x, x^T dy equals its transpose."""
    return np.random.default_rng([seed, 0x6772_6164])


def _indices(leaf: np.ndarray, samples: int | None, rng: np.random.Generator) -> Iterator[tuple[int, ...]]:
    if samples is None or samples >= leaf.size:
        return np.ndindex(leaf.shape)
    return zip(*np.unravel_index(rng.choice(leaf.size, samples, replace=False), leaf.shape), strict=True)


def _difference(loss: Callable[[Tree], float], inputs: Tree, leaf: np.ndarray, index: tuple[int, ...]) -> float:
    """Move one element of `leaf`, an array of `inputs`, and return the slope of the loss there."""
    here = leaf[index]

    def at(steps: int) -> float:
        leaf[index] = here + steps * STEP
        return loss(inputs)

    slope = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * STEP)
    leaf[index] = here
    return float(slope)


def _worst(name: str, gradient: np.ndarray, numeric: dict[tuple[int, ...], float]) -> GradientError:
    if not numeric:
        return GradientError(name, gradient.shape, 0, (), 0.0, 0.0, 0.0)
    places = list(numeric)
    errors = relative_errors(np.array([float(gradient[i]) for i in places]), np.array(list(numeric.values())))
    at = int(np.nan_to_num(errors, nan=np.inf).argmax())  # a NaN is the worst error of all
    place, error = places[at], float(errors[at])
    index = tuple(int(i) for i in place)
    return GradientError(name, gradient.shape, len(places), index, float(gradient[place]), numeric[place], error)
