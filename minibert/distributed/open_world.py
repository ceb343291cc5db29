"""Which ranks there are: whoever starts the processes tells them by the environment."""

import functools
import os
import shutil
import sys
from pathlib import Path

from minibert.distributed.world import ALONE, World
from minibert.errors import ConfigError, MissingExtraError

# MPICH and its kin (Intel MPI, Cray MPI, srun's pmi2), Open MPI, and Slurm's srun with PMIx.
SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
INSTALL = 'pip install "minibert-numpy[mpi]"'


def started_ranks() -> int:
    """Return how many processes were started together; 1 without mpiexec."""
    return next((int(os.environ[name]) for name in SIZES if os.environ.get(name, "").isdecimal()), 1)


def find_mpiexec() -> str:
    """Return the program that starts ranks: the one beside this Python, else the first on the path.

    Raises
    ------
    MissingExtraError
        If there is none.
    """
    beside = Path(sys.executable).with_name("mpiexec")
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    if found is None:
        raise MissingExtraError(f"several ranks need mpiexec: {INSTALL}")
    return found


@functools.cache
def world() -> World:
    """Return the ranks that were started together by mpiexec, or `ALONE`.

    Raises
    ------
    MissingExtraError
        If there are several, and mpi4py is not installed, or finds no MPI library.
    ConfigError
        If they cannot see each other.
    """
    started = started_ranks()
    if started == 1:
        return ALONE
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise MissingExtraError(f"{started} ranks need mpi4py and an MPI library: {INSTALL} ({error})") from error
    if MPI.COMM_WORLD.size != started:
        library = MPI.Get_library_version().split()[0]
        raise ConfigError(
            f"{started} ranks were started, but {library}, the MPI library that mpi4py found, sees "
            f"{MPI.COMM_WORLD.size}: start them with the mpiexec of that library"
        )
    from minibert.distributed.ranks import Ranks

    return Ranks(MPI.COMM_WORLD)
