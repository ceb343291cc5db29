"""Our trees to and from the flat, named tensors of a Hugging Face checkpoint.

A model's table maps each of our dotted names to the names that the checkpoint uses: one, or
several where we keep matrices side by side that the checkpoint keeps apart (query, key, value).
Our weights are (in, out), theirs mostly (out, in): `transposed` says so. The layers of GPT and GPT-2
come from a code with (in, out) and kept it.
"""

from typing import NamedTuple

import numpy as np

from minibert.errors import CheckpointError
from minibert.tree import Tree, tree_items, unflatten

NameTable = dict[str, tuple[str, ...]]


class Loaded(NamedTuple):
    """What `from_hf` found."""

    flat: dict[str, np.ndarray]  # our dotted name -> array
    missing: list[str]  # our names that the checkpoint does not have
    unexpected: list[str]  # its names that we do not know


def to_hf(tree: Tree, table: NameTable, transposed: bool = True) -> dict[str, np.ndarray]:
    """Return {their name: array} of a tree of parameters, or of their gradients."""
    tensors = {}
    for name, leaf in tree_items(tree):
        for theirs, part in zip(table[name], np.split(leaf, len(table[name]), axis=-1), strict=True):
            tensors[theirs] = part.T if transposed and name.endswith(".weight") else part
    return tensors


def from_hf(tensors: dict[str, np.ndarray], table: NameTable, like: Tree, transposed: bool = True) -> Loaded:
    """Find the arrays of a tree shaped `like` among a checkpoint's tensors.

    Raises
    ------
    CheckpointError
        If a tensor has another shape than the configuration asks for.
    """
    flat, missing, used = {}, [], set()
    for name, leaf in tree_items(like):
        theirs = table[name]
        if any(t not in tensors for t in theirs):
            missing.append(name)
            continue
        parts = [tensors[t].T if transposed and name.endswith(".weight") else tensors[t] for t in theirs]
        expected = (*leaf.shape[:-1], leaf.shape[-1] // len(theirs))
        for t, part in zip(theirs, parts, strict=True):
            if part.shape != expected:
                raise CheckpointError(f"{t}: expected shape {expected} after (in, out) layout, found {part.shape}")
        flat[name] = np.ascontiguousarray(np.concatenate(parts, axis=-1), dtype=leaf.dtype)
        used.update(theirs)
    return Loaded(flat, missing, sorted(set(tensors) - used))


def fill(like: Tree, flat: dict[str, np.ndarray]) -> Tree:
    """Return `like` with the arrays of `flat` in their places."""
    return unflatten({name: flat.get(name, leaf) for name, leaf in tree_items(like)})
