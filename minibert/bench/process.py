"""Measuring in a fresh process, where nothing was allocated, imported or compiled before."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from minibert.errors import MinibertError

THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")


def measure(module: str, task: dict[str, Any], **environment: str) -> float:
    """Return the number that `python -m module` prints for a task.

    Raises
    ------
    MinibertError
        If the process fails, for example because memory ran out.
    """
    command = [sys.executable, "-m", module, json.dumps(task)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message; was the memory used up?"])[-1]
        raise MinibertError(f"measuring {task} failed with code {done.returncode}: {last}")
    return float(done.stdout.split()[-1])


def answer(function: Callable[..., float]) -> None:
    """Be that process: call the function with the task, and print what it returns."""
    print(function(**json.loads(sys.argv[1])))


def thread_environment(threads: int) -> dict[str, str]:
    """Return the variables that give every library so many threads. They are read when it is imported."""
    return dict.fromkeys(THREADS, str(threads))
