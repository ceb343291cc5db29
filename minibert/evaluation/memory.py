"""How much memory a training step takes, counted on the arrays that a real one keeps."""

from typing import Any, NamedTuple

import numpy as np

from minibert.dispatch import no_grad
from minibert.models.base import Model
from minibert.tree import flatten


class TrainingMemory(NamedTuple):
    """Bytes at the end of a forward pass, when most is held."""

    parameters: int
    gradients: int
    optimizer: int  # the two running means of AdamW
    activations: int  # what the caches keep for the backward pass

    @property
    def total(self) -> int:
        """The sum."""
        return sum(self)


def training_memory(model: Model, batch: dict[str, Any], batch_size: int) -> TrainingMemory:
    """Return what a training step with `batch_size` sequences like the one in `batch` keeps in memory.

    Parameters
    ----------
    model : Model
    batch : dict
        One sequence with labels. Its forward pass is run, and the caches' arrays are added up.
    batch_size : int
    """
    learned = model.num_trainable_parameters() * model.dtype.itemsize  # what is Frozen has neither gradient nor means
    with no_grad():  # memory that a kernel takes early for a gradient counts as the gradient's
        _, cache = model.forward_loss(batch, None, {})
    owners = {id(_owner(array)) for array in flatten(model.params).values()}
    activations = sum(n for owner, n in _arrays(cache).items() if owner not in owners)
    return TrainingMemory(model.num_parameters() * model.dtype.itemsize, learned, 2 * learned, activations * batch_size)


def _arrays(node: Any) -> dict[int, int]:
    """Return {id of the array that owns the memory: its bytes} of all arrays in nested caches."""
    if isinstance(node, np.ndarray):
        owner = _owner(node)
        return {id(owner): owner.nbytes}
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, tuple | list):
        return {owner: n for child in node for owner, n in _arrays(child).items()}
    return {}


def _owner(array: np.ndarray) -> np.ndarray:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
