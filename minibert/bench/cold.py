"""The first training step of a machine's life: everything is compiled. And the first one of a later process."""

import tempfile
import time
from dataclasses import asdict
from typing import Any

from minibert.bench.process import answer
from minibert.bench.process import measure as in_process
from minibert.bench.sizes import Sizes


def first_steps(sizes: Sizes) -> tuple[float, float]:
    """Return the seconds of the first step in a fresh process, with an empty cache and with a full one."""
    with tempfile.TemporaryDirectory(prefix="minibert-bench-") as folder:
        task = {"sizes": asdict(sizes)}
        cold, warm = (in_process("minibert.bench.cold", task, NUMBA_CACHE_DIR=folder) for _ in range(2))
    return cold, warm


def measure(sizes: dict[str, Any]) -> float:
    """Return the seconds from choosing the backend, which imports Numba, to the end of the first step."""
    from minibert.bench.steps import step_variants

    step = step_variants("kernels", Sizes(**sizes), [])[""]
    start = time.perf_counter()
    step.prepare()
    from minibert.kernels.ahead import compile_kernels

    compile_kernels()  # as `minibert pretrain` does
    step.run()
    return time.perf_counter() - start


if __name__ == "__main__":
    answer(measure)
