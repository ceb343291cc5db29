"""Starts Python programs on a few ranks, by mpiexec."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from minibert import distributed
from minibert.errors import MissingExtraError

PATIENCE = 300  # seconds; what hangs is a failure
ONE_THREAD = dict.fromkeys(("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")


def mpiexec() -> str:
    """The program that starts ranks; without it the test is skipped."""
    pytest.importorskip("mpi4py", reason="needs the extra `mpi`")
    try:
        return distributed.find_mpiexec()
    except MissingExtraError as error:
        pytest.skip(str(error))


class Ranks:
    """The same Python program on several ranks, in a folder."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.mpiexec, self.folder = mpiexec(), folder
        paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
        self.environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": paths, **environment}

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


def ran(process: subprocess.Popen, code: int = 0) -> subprocess.CompletedProcess:
    """Wait for the end, with this code."""
    result = finish(process)
    assert result.returncode == code, result.stdout + result.stderr
    return result


def log(folder: Path) -> list[dict]:
    """The records of a run, but for its speed."""
    records = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in record.items() if name != "tokens_per_second"} for record in records]
