"""Training on several ranks at once, each in a process of its own, on one machine or on many."""

from minibert.distributed.open_world import find_mpiexec, world
from minibert.distributed.world import ALONE, World

__all__ = ["ALONE", "World", "find_mpiexec", "world"]
