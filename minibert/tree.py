"""Trees: nested dicts whose leaves are arrays.

Parameters are such a tree, and gradients are the same tree. One small set of functions serves
the optimizer, checkpoints, gradient checks and weight loading alike. The dotted name of a leaf
joins the keys on the way to it: `encoder.layers.0.attention.qkv.weight`.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minibert.errors import CheckpointError

Tree = dict[str, Any]  # str -> np.ndarray, or str -> Tree


def tree_map(function: Callable, tree: Tree, *others: Tree) -> Tree:
    """Apply `function` to corresponding leaves of trees of the same shape."""
    return {
        key: tree_map(function, value, *(other[key] for other in others))
        if isinstance(value, dict)
        else function(value, *(other[key] for other in others))
        for key, value in tree.items()
    }


def tree_items(tree: Tree, prefix: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """Yield (dotted name, leaf) in the order of the dicts."""
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from tree_items(value, f"{name}.")
        else:
            yield name, value


def flatten(tree: Tree) -> dict[str, np.ndarray]:
    """Return {dotted name: leaf}."""
    return dict(tree_items(tree))


def unflatten(flat: dict[str, np.ndarray]) -> Tree:
    """Return the tree whose `flatten` is `flat`."""
    tree: Tree = {}
    for name, leaf in flat.items():
        *path, last = name.split(".")
        node = tree
        for key in path:
            node = node.setdefault(key, {})
        node[last] = leaf
    return tree


def tree_get(tree: Tree, name: str) -> Any:
    """Return the leaf or the subtree with that dotted name."""
    for key in name.split("."):
        tree = tree[key]
    return tree


def copy_into(arrays: dict[str, np.ndarray], values: dict[str, np.ndarray], what: str) -> None:
    """Write `values` into the `arrays` of the same names; those that cannot be written must hold them already.

    Raises
    ------
    CheckpointError
        If a name is missing or too many, a shape or a dtype is another; `what` says of what.
    """
    for name in sorted(set(arrays) ^ set(values)):
        raise CheckpointError(f"{what}: {name} is in {'the model' if name in arrays else 'the checkpoint'} only")
    for name, array in arrays.items():
        value = values[name]
        if (value.shape, value.dtype) != (array.shape, array.dtype):
            raise CheckpointError(
                f"{what}: {name} is {value.dtype} {value.shape} in the checkpoint, {array.dtype} {array.shape} here"
            )
        if array.flags.writeable:
            array[...] = value
        elif not np.array_equal(array, value):
            raise CheckpointError(f"{what}: {name} is frozen, and has another value in the checkpoint")


def tree_add(a: Tree, b: Tree) -> Tree:
    """Return the sum, leaf by leaf; a leaf or subtree that only one of them has (the other: None) is kept as it is."""
    total = dict(a)
    for key, value in b.items():
        if a.get(key) is None:
            total[key] = value
        elif value is None:
            continue
        elif isinstance(value, dict):
            total[key] = tree_add(a[key], value)
        else:
            total[key] = a[key] + value
    return total


def tree_size(tree: Tree) -> int:
    """Return the number of scalars in all leaves."""
    return sum(leaf.size for _, leaf in tree_items(tree))
