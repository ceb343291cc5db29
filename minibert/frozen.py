"""Which parameters may train, written on the arrays themselves.

A `Frozen` array cannot be written, so it keeps its bits whatever an optimizer does, and no gradient is computed for
it: every backward pass returns None for an argument that is Frozen. So neither signatures nor models know of it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minibert.tree import Tree, tree_items


class Frozen(np.ndarray):
    """An array that wants no gradient, nor do its views: a tied decoder reads the transpose of a frozen table."""

    def __array_wrap__(self, result: np.ndarray, context: Any = None, return_scalar: bool = False) -> Any:
        """Return what arithmetic made of it, as an ordinary array."""
        return result[()] if return_scalar else result


def frozen(array: np.ndarray) -> Frozen:
    """Return a Frozen view of the same memory; nothing is copied."""
    view = array.view(Frozen)
    view.flags.writeable = False
    return view


def thawed(array: np.ndarray) -> np.ndarray:
    """Return a Frozen array as an ordinary one that can be written, if possible of the same memory; others as is."""
    if not is_frozen(array):
        return array
    plain = array.view(np.ndarray)
    try:
        plain.flags.writeable = True
    except ValueError:  # its memory is read-only for other reasons
        plain = plain.copy()
    return plain


def is_frozen(array: Any) -> bool:
    """Return whether no gradient is wanted."""
    return isinstance(array, Frozen)


def all_frozen(tree: Tree) -> bool:
    """Return whether nothing in a tree may train."""
    return all(is_frozen(leaf) for _, leaf in tree_items(tree))


def freeze(params: Tree, trains: Callable[[str], bool], prefix: str = "") -> Tree:
    """Return the tree with the same memory, every leaf Frozen but those whose dotted name `trains`."""
    return {
        key: freeze(value, trains, f"{prefix}{key}.")
        if isinstance(value, dict)
        else (thawed(value) if trains(f"{prefix}{key}") else frozen(value))
        for key, value in params.items()
    }


def trainable(params: Tree) -> Tree:
    """Return the part of a tree that may train: Frozen leaves are left out, and what is empty then."""
    return wanted(params, params)


def wanted(grads: Tree, params: Tree) -> Tree:
    """Return the part of `grads` whose parameters may train. Gradients of the others are None, or by-products."""
    part = {}
    for key, value in grads.items():
        if isinstance(value, dict):
            value = wanted(value, params[key]) or None
        elif is_frozen(params[key]):
            value = None
        if value is not None:
            part[key] = value
    return part
