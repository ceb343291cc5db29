"""Our trees to and from the flat, named tensors of a Hugging Face checkpoint.

A model's table maps each of our dotted names to the names that the checkpoint uses: one, or
several where we keep matrices side by side that the checkpoint keeps apart (query, key, value).
Our weights are (in, out), theirs mostly (out, in): `transposed` says so. The layers of GPT and GPT-2
come from a code with (in, out) and kept it.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minibert.errors import CheckpointError, ConfigError
from minibert.models.safetensors_file import Stored
from minibert.tree import Tree, tree_items, unflatten

NameTable = dict[str, tuple[str, ...]]
# What old releases saved beside the parameters: 0, 1, 2, ... as positions, segments of zeros, causal masks.
BUFFERS = re.compile(r"(^|\.)(position_ids|token_type_ids|attn\.bias|attn\.masked_bias)$")
HEADS = ("classifier.", "qa_outputs.", "score.")  # of tasks: no surprise where a body or another head is opened


class Loaded(NamedTuple):
    """What `from_hf` found. Nothing is read yet."""

    flat: dict[str, list[Stored]]  # our dotted name -> its tensors, side by side
    missing: dict[str, str]  # our names that the checkpoint does not have -> the tensor it lacks
    unexpected: list[str]  # tensors that this class has no use for
    unknown: list[str]  # those of them that no class of its family has a use for


def to_hf(tree: Tree, table: NameTable, transposed: bool = True) -> dict[str, np.ndarray]:
    """Return {their name: array} of a tree of parameters, or of their gradients."""
    tensors = {}
    for name, leaf in tree_items(tree):
        if name not in table:
            raise ConfigError(
                f"{name} has no name in a checkpoint, it is part of an adapter: save the PeftModel, or "
                "merge_and_unload() it first"
            )
        for theirs, part in zip(table[name], np.split(leaf, len(table[name]), axis=-1), strict=True):
            tensors[theirs] = part.T if transposed and name.endswith(".weight") else part
    return tensors


def from_hf(
    tensors: dict[str, Stored],
    table: NameTable,
    like: Tree,
    transposed: bool = True,
    tied: dict[str, str] | None = None,
) -> Loaded:
    """Find the tensors of a tree shaped `like` in a checkpoint.

    `tied` gives the names of tensors that are others under a second name: a file may hold either, or both.

    Raises
    ------
    CheckpointError
        If a tensor has another shape than the configuration asks for, or tied tensors differ.
    """
    tied = tied or {}
    twins = {first: tensors[second] for second, first in tied.items() if second in tensors}
    tensors = {**twins, **tensors}
    flat, missing, used = {}, {}, set()
    for name, leaf in tree_items(like):
        theirs = table[name]
        if absent := [t for t in theirs if t not in tensors]:
            missing[name] = absent[0]
            continue
        flat[name] = [tensors[t] for t in theirs]
        expected = (*leaf.shape[:-1], leaf.shape[-1] // len(theirs))
        _check_shapes(flat[name], expected[::-1] if transposed and name.endswith(".weight") else expected)
        used.update(theirs)
    for first, twin in twins.items():
        _check_twins(tensors[first], twin)
    unexpected = {t: tensors[t].name for t in tensors if t not in used and t not in tied and not BUFFERS.search(t)}
    known = {t for theirs in table.values() for t in theirs}
    unknown = [name for t, name in unexpected.items() if t not in known and not t.startswith(HEADS)]
    return Loaded(flat, missing, sorted(unexpected.values()), sorted(unknown))


def renamed(tensors: dict[str, Stored], canonical: Callable[[str], str]) -> dict[str, Stored]:
    """Return the tensors under other names. Raises `CheckpointError` if two become one."""
    found: dict[str, Stored] = {}
    for name, tensor in tensors.items():
        other = found.setdefault(canonical(name), tensor)
        if other is not tensor:
            raise CheckpointError(f"{tensor.path}: {other.name} and {name} are the same parameter: remove one of them")
    return found


def fill(like: Tree, flat: dict[str, list[Stored]], transposed: bool = True) -> Tree:
    """Return `like` with the tensors of `flat` in their places, as arrays of its dtype.

    Raises
    ------
    CheckpointError
        If a number is not finite, in the file or as a number of that dtype.
    """

    def read(name: str, leaf: np.ndarray) -> np.ndarray:
        parts = [numbers_in(tensor, leaf.dtype) for tensor in flat[name]]
        if transposed and name.endswith(".weight"):
            parts = [part.T for part in parts]
        return np.concatenate(parts, axis=-1, out=np.empty(leaf.shape, leaf.dtype), casting="same_kind")

    return unflatten({name: read(name, leaf) if name in flat else leaf for name, leaf in tree_items(like)})


def numbers_in(tensor: Stored, dtype: np.dtype) -> np.ndarray:
    """Return the numbers of a tensor. Raises `CheckpointError` if one of them is not finite as a `dtype`."""
    values, most = tensor.values(), float(np.finfo(dtype).max)
    if not (-most <= float(values.min()) and float(values.max()) <= most):  # NaN is not within anything
        raise CheckpointError(
            f"{tensor.path}: the weights hold numbers that are not finite: {tensor.name} has some; they are of a "
            "training that went wrong, or damaged: take an earlier checkpoint"
        )
    return values


def _check_shapes(tensors: list[Stored], expected: tuple[int, ...]) -> None:
    for tensor in tensors:
        if tensor.shape != expected:
            raise CheckpointError(
                f"{tensor.path}: {tensor.name}: expected shape {expected} by config.json, found {tensor.shape}"
            )


def _check_twins(tensor: Stored, twin: Stored) -> None:
    same = tensor.kind == twin.kind and tensor.shape == twin.shape
    if not (np.array_equal(tensor.data, twin.data) if same else np.array_equal(tensor.values(), twin.values())):
        raise CheckpointError(
            f"{twin.path}: {twin.name} differs from {tensor.name}: models where the two are not tied are not supported"
        )
