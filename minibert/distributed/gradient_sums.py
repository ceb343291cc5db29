"""Sums over the ranks in the background, so that gradients travel while others are still computed."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from mpi4py import MPI

from minibert.blocks.stack import show_layers
from minibert.distributed.ordered_sum import ordered_sum
from minibert.errors import ConfigError
from minibert.tree import Tree, flatten, unflatten


class GradientSums:
    """One thread makes all sums, one after the other: all ranks ask for them in the same order.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm

    Raises
    ------
    ConfigError
        If the MPI library can be called from one thread only.
    """

    def __init__(self, comm: MPI.Comm) -> None:
        if MPI.Query_thread() < MPI.THREAD_SERIALIZED:
            raise ConfigError("the MPI library does not allow calls from several threads: use another one")
        self._comm = comm
        self._background = ThreadPoolExecutor(1, "sums")
        self._early: dict[str, Future] = {}  # name inside of the stack of layers -> sums of its layer, in the making

    def of_numbers(self, numbers: np.ndarray) -> np.ndarray:
        """numbers (n,)  ->  their sum over the ranks (n,)."""
        return self._background.submit(ordered_sum, self._comm, numbers).result()

    @contextmanager
    def early(self, before: Tree | None) -> Iterator[None]:
        """Begin with each layer inside a `with` block as soon as backward has its gradients; add those of `before`."""
        earlier = {} if before is None else {_inside(name): leaf for name, leaf in flatten(before).items()}

        def begin(layer: str, grads: Tree) -> None:
            leaves = {f"{layer}.{name}": leaf for name, leaf in flatten(grads).items()}
            whole = {name: earlier[name] + leaf if name in earlier else leaf for name, leaf in leaves.items()}
            self._early |= dict.fromkeys(whole, self._background.submit(self._sum, whole))

        with show_layers(begin):
            yield

    def of_tree(self, grads: Tree) -> Tree:
        """Return the sum of all gradients, when those are there that were begun early."""
        early, self._early = self._early, {}
        leaves = flatten(grads)
        late = self._background.submit(self._sum, {n: x for n, x in leaves.items() if _inside(n) not in early})
        sums = {n: early[_inside(n)].result()[_inside(n)] if _inside(n) in early else late.result()[n] for n in leaves}
        return unflatten(sums)

    def _sum(self, leaves: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The sums of some arrays by name, all in one message."""
        total = ordered_sum(self._comm, np.concatenate([leaf.reshape(-1) for leaf in leaves.values()]))
        parts = np.split(total, np.cumsum([leaf.size for leaf in leaves.values()])[:-1])
        return {name: x.reshape(leaf.shape) for (name, leaf), x in zip(leaves.items(), parts, strict=True)}


def _inside(name: str) -> str:
    """encoder.layers.0.attention.qkv.weight  ->  layers.0.attention.qkv.weight: as the stack of layers knows it."""
    return name.partition(".")[2]
