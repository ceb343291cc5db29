"""Several ranks, which talk by MPI (extra `mpi`)."""

import os
import sys
import time
import traceback
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
from mpi4py import MPI

from minibert.distributed.gradient_sums import GradientSums
from minibert.distributed.last_words import PATIENCE, say_last_words
from minibert.distributed.world import Batch, World
from minibert.errors import MinibertError, TrainingError, TrainingStopped
from minibert.ops import IGNORE_INDEX
from minibert.tree import Tree, flatten


class Ranks(World):
    """All ranks of a communicator, seen from one of them. Made once a process: only rank 0 can print from then on.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm
    """

    def __init__(self, comm: MPI.Comm) -> None:
        self.comm = comm
        self.rank, self.size = comm.rank, comm.size
        self._sums = GradientSums(comm)
        if self.rank:
            sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115  it stays open

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        """Leave. If this rank fails, the others would wait for it for ever: say why, and end them all.

        What happens to all at the same step, being stopped, is no failure.
        """
        if error is None or isinstance(error, TrainingStopped | SystemExit):
            return
        if self.rank:
            time.sleep(PATIENCE)  # most mistakes meet all ranks; then rank 0 says so, and ends this one
        say_last_words(f"rank {self.rank} of {self.size} ends the run. {_describe(error)}", sys.__stderr__)
        code = 130 if isinstance(error, KeyboardInterrupt) else 2
        self.comm.Abort(code)
        os._exit(code)  # Abort may return before it ends this process

    def cores(self) -> int | None:
        """Return how many cores are this rank's share of those that it and others may run on."""
        allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
        mine = MPI.Get_processor_name(), sorted(allowed)
        return max(1, len(mine[1]) // self.comm.allgather(mine).count(mine))

    def part(self, batch: Batch) -> Batch:
        """Return about `1 / size` of the rows.

        If there are fewer rows than ranks, some get a row without targets, so that they take part in every sum.
        """
        B = len(batch["input_ids"])
        first, end = (B * rank // self.size for rank in (self.rank, self.rank + 1))
        if first < end:
            return {name: array[first:end] for name, array in batch.items()}
        row = {name: array[:1] for name, array in batch.items()}
        labels = {name: np.full_like(row[name], IGNORE_INDEX) for name in row if "label" in name}
        return {**row, **labels}

    def sum(self, numbers: np.ndarray) -> np.ndarray:
        """Return the sum over the ranks of a few float64 numbers (n,), added in the order of the ranks."""
        return self._sums.of_numbers(numbers)

    def sum_early(self, before: Tree | None) -> AbstractContextManager[None]:
        """Begin to sum the gradients of each layer inside a `with` block, in the background."""
        return self._sums.early(before)

    def sum_gradients(self, grads: Tree) -> Tree:
        """Return the sum over the ranks of trees of the same shape, added in the order of the ranks."""
        return self._sums.of_tree(grads)

    def largest(self, number: int) -> int:
        """Return the largest of the ranks' numbers."""
        return self.comm.allreduce(number, MPI.MAX)

    def tell(self, text: str) -> str:
        """Return the text of rank 0."""
        return self.comm.bcast(text)

    def share(self, params: Tree) -> None:
        """Write the arrays of rank 0 into those of the others."""
        for array in flatten(params).values():
            sent = np.ascontiguousarray(array)
            self.comm.Bcast(sent)
            array[...] = sent

    def check_same(self, params: Tree) -> None:
        """Raise `TrainingError` unless all ranks have the same bits."""
        checksum = 0
        for array in flatten(params).values():
            checksum = zlib.crc32(np.ascontiguousarray(array), checksum)
        checksums = self.comm.allgather(checksum)
        for rank, other in enumerate(checksums):
            if other != checksums[0]:
                raise TrainingError(
                    f"rank {rank} has other parameters than rank 0: processors of several kinds round differently; use "
                    "nodes of one kind"
                )

    def once(self, do: Callable, *args: Any, **kwargs: Any) -> None:
        """Let rank 0 do something while the others wait."""
        if not self.rank:
            do(*args, **kwargs)
        self.comm.Barrier()

    @contextmanager
    def rank_0_first(self) -> Iterator[None]:
        """Let rank 0 run the `with` block before the others."""
        if self.rank:
            self.comm.Barrier()
        yield
        if not self.rank:
            self.comm.Barrier()


def _describe(error: BaseException) -> str:
    """One line if a user can mend it, else the traceback."""
    if isinstance(error, KeyboardInterrupt):
        return "minibert: interrupted"
    if isinstance(error, MinibertError | OSError):
        return f"minibert: {' '.join(str(error).split())}"
    return "".join(traceback.format_exception(error))
