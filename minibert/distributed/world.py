"""The ranks that train together, as one of them sees them; and the world of one rank, which is the default.

Data-parallel training in one paragraph: every rank holds all parameters and draws the same batch. It computes the
gradient of its own rows, divided by the number of targets of the whole batch, and the sum over the ranks is then
the gradient of the whole batch. All take the same step, so their parameters stay the same.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np

from minibert.tree import Tree

Batch = dict[str, Any]


class World:
    """One rank alone: a part is the whole, and a sum over the ranks is what it is a sum of.

    `minibert.distributed.ranks.Ranks` is the same for several. What is called on one rank must be called on all, in
    the same order, or they wait for each other.

    Attributes
    ----------
    rank : int
        From 0. Rank 0 alone prints and writes files.
    size : int
        The number of ranks.
    """

    rank = 0
    size = 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        """Leave. An error ends all ranks."""

    def cores(self) -> int | None:
        """Return how many cores are this rank's share of those that several may run on. None: all that there are."""
        return None

    def part(self, batch: Batch) -> Batch:
        """Return this rank's rows of a batch that all have drawn."""
        return batch

    def sum(self, numbers: np.ndarray) -> np.ndarray:
        """Return the sum over the ranks of a few float64 numbers (n,)."""
        return numbers

    @contextmanager
    def sum_early(self, before: Tree | None) -> Iterator[None]:
        """Begin to sum the gradients of each layer inside a `with` block, as soon as backward has them.

        `before` are the gradients of earlier parts of the batch, which are to be added to them. `sum_gradients` of the
        whole tree must follow.
        """
        yield

    def sum_gradients(self, grads: Tree) -> Tree:
        """Return the sum over the ranks of trees of the same shape, added in the order of the ranks."""
        return grads

    def largest(self, number: int) -> int:
        """Return the largest of the ranks' numbers."""
        return number

    def tell(self, text: str) -> str:
        """Return the text of rank 0; those of the others are ignored."""
        return text

    def share(self, params: Tree) -> None:
        """Write the arrays of rank 0 into those of the others."""

    def check_same(self, params: Tree) -> None:
        """Raise `TrainingError` unless all ranks have the same bits, as they should."""

    def once(self, do: Callable, *args: Any, **kwargs: Any) -> None:
        """Let rank 0 do something, as writing a file, while the others wait."""
        do(*args, **kwargs)

    @contextmanager
    def rank_0_first(self) -> Iterator[None]:
        """Let rank 0 run the `with` block before the others, who may find in a cache what it has made."""
        yield


ALONE = World()
