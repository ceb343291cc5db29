"""Where in a model an op runs, found without the model's help.

Every block is a function that is handed its part of the parameters, a subtree of `model.params`. So the place of a
forward op is the name of the subtree that the nearest caller holds, and, where the op itself is handed
arrays of that subtree, of what these have in common: a projection in `encoder.layers.0.attention` is at
`encoder.layers.0.attention.qkv`. An op without parameters of its own, in a caller that holds several
subtrees, is where its input was made. A backward op is where its cache was made.
"""

import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

import numpy as np

from minibert.tree import Tree, tree_items
from minibert.work import arrays_in

LEAVES = ("weight", "bias", "gamma", "beta")  # parts of a thing; any other leaf, as a table, is a thing itself


class Names:
    """The dotted names of a parameter tree's subtrees and arrays, found by identity."""

    def __init__(self, params: Tree) -> None:
        self.params = params
        self.subtrees = dict(_subtrees(params))  # id of a dict -> name
        self.arrays = {address(leaf): name for name, leaf in tree_items(params)}

    def of_arrays(self, values: Any) -> list[str]:
        """Return the names of the parameters among some values, or of views of them such as a transpose."""
        found = (self.arrays.get(address(array)) for array in arrays_in(values))
        return [name for name in found if name is not None]

    def of_subtrees(self, values: Any) -> list[str]:
        """Return the names of the subtrees among some values."""
        return [self.subtrees[id(v)] for v in values if isinstance(v, dict) and id(v) in self.subtrees]


def forward_place(args: Any, frame: FrameType | None, names: Names, made_at: dict[tuple[int, int], str]) -> str:
    """Return where an op runs that was called by `frame`: "" if nothing tells.

    `made_at` maps the `address` of every output so far to its place.
    """
    block, between = _nearest_block(frame, names)
    for values in (args, *between):  # an op without parameters in an op with some, as GELU in `linear_gelu`: those
        own = [name for name in names.of_arrays(values) if name.startswith(f"{block}." if block else "")]
        if own:
            return common_part(own)
    return block or next((made_at[address(a)] for a in arrays_in(args) if address(a) in made_at), "")


def model_params(frame: FrameType | None) -> Tree | None:
    """Return the parameters of the model whose method is running: the nearest caller's `self.params`."""
    for caller in callers(frame):
        params = getattr(caller.f_locals.get("self"), "params", None)
        if isinstance(params, dict):
            return params
    return None


def calling_frame() -> FrameType | None:
    """Return the frame that called the op that is being watched."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") != "minibert.dispatch":
        frame = frame.f_back
    while frame is not None and frame.f_globals.get("__name__") == "minibert.dispatch":
        frame = frame.f_back
    return frame


def callers(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield a frame, its caller, the caller of that, ..."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def common_part(names: list[str]) -> str:
    """Return what dotted names have in common; a single `x.weight` is at x, a single table at its own name."""
    if len(set(names)) == 1:
        path, _, leaf = names[0].rpartition(".")
        return path if leaf in LEAVES else names[0]
    shared = []
    for keys in zip(*(name.split(".") for name in names), strict=False):
        if len(set(keys)) > 1:
            break
        shared.append(keys[0])
    return ".".join(shared)


def address(array: np.ndarray) -> tuple[int, int]:
    """Return where an array's memory begins and how much it is: a view of all of it has the same address."""
    return array.__array_interface__["data"][0], array.nbytes


def _nearest_block(frame: FrameType | None, names: Names) -> tuple[str, list[list[Any]]]:
    """Return the subtree that the nearest caller with one holds, and what the callers between hold.

    Of several subtrees in one caller it is what they have in common.
    """
    between = []
    for caller in callers(frame):
        values = list(caller.f_locals.values())
        held = names.of_subtrees(values)
        if held:
            return common_part(held), between
        between.append([v for v in values if isinstance(v, np.ndarray)])
    return "", []


def _subtrees(tree: Tree, prefix: str = "") -> Iterator[tuple[int, str]]:
    yield id(tree), prefix.removesuffix(".")
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _subtrees(value, f"{prefix}{key}.")
