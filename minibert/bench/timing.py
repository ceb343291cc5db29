"""The clock. The sides of a comparison take turns, so that a busy moment of the machine hits all of them.

They share a process, and so its memory: the kernels tell the C library to keep what is freed (see
`minibert/allocator.py`), which spares page faults on every side, PyTorch's too.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

# Seconds between turns. Idle threads of OpenBLAS and OpenMP spin before they sleep, and take a core from the next side:
# a product of 0.5 ms took 8 ms beside them. After 0.1 s they sleep.
PAUSE = 0.15
SHORT = 0.1  # a call under this many seconds runs once before the clock starts, and several times in a turn
CALLS = 20  # in a turn, at most
ROUNDS = 3  # at least, unless the number is given


class Side(NamedTuple):
    """One side of a comparison."""

    run: Callable[[], Any]  # does the work once; the clock stops when its result has been dropped
    prepare: Callable[[], None]  # called before each turn, outside the clock: choose the backend, or the threads


class Budget(NamedTuple):
    """How long to measure one comparison."""

    seconds: float
    repeat: int = 0  # exactly so many rounds; 0: as many as fit into `seconds`


def compare(sides: dict[str, Side], budget: Budget) -> dict[str, float]:
    """Return the median seconds of each side.

    Each is run twice first: what is compiled, loaded or allocated once is not measured. Then they take turns:
    A B C A B C ... A turn begins with a pause and, if the call is short, with a call that is not measured, which
    brings the side's data back into the caches and its threads back to work.
    """
    for side in sides.values():
        side.prepare()
        side.run()
    estimates = {name: max(turn(side, 0)) for name, side in sides.items()}
    samples: dict[str, list[float]] = {name: [] for name in sides}
    start, rounds = time.perf_counter(), 0
    while rounds < (budget.repeat or ROUNDS) or not (budget.repeat or time.perf_counter() - start > budget.seconds):
        for name, side in sides.items():
            samples[name] += turn(side, estimates[name])
        rounds += 1
    return {name: statistics.median(times) for name, times in samples.items()}


def turn(side: Side, estimate: float) -> list[float]:
    """Return the seconds of each call in one turn of a side whose calls take about `estimate` seconds."""
    side.prepare()
    time.sleep(PAUSE)
    if 0 < estimate < SHORT:
        side.run()
    times = []
    while not times or (0 < estimate and len(times) < CALLS and sum(times) + estimate < SHORT):
        start = time.perf_counter()
        side.run()
        times.append(time.perf_counter() - start)
    return times
