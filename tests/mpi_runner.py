"""Starts Python programs on a few ranks, by mpiexec."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PATIENCE = 300  # seconds; what hangs is a failure
ONE_THREAD = dict.fromkeys(("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")


def find_mpiexec() -> str:
    """The program that starts ranks; without it the test is skipped."""
    pytest.importorskip("mpi4py", reason="needs the extra `mpi`")
    beside = Path(sys.executable).with_name("mpiexec")
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    if found is None:
        pytest.skip("needs mpiexec, which the extra `mpi` brings")
    return found


class Ranks:
    """The same Python program on several ranks, in a folder."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.mpiexec, self.folder = find_mpiexec(), folder
        self.environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(Path(__file__).parent), **environment}

    def start(self, size: int, *arguments: object) -> subprocess.Popen:
        """Start `python arguments` on `size` ranks; on 1 without mpiexec."""
        command = [sys.executable, *map(str, arguments)]
        if size > 1:
            command = [self.mpiexec, "-n", str(size), *command]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, **pipes)


def finish(process: subprocess.Popen) -> subprocess.CompletedProcess:
    """Wait for the end, which has to come."""
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
