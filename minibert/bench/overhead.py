"""How much of a training step is spent outside compiled functions: Python, NumPy, memory."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from minibert.bench.timing import Side


class Clock:
    """Seconds inside compiled functions so far."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, loop: Callable) -> Callable:
        """Return `loop` with its seconds counted."""

        def run(*args) -> None:
            start = time.perf_counter()
            loop(*args)
            self.seconds += time.perf_counter() - start

        return run


@contextmanager
def kernel_clock() -> Iterator[Clock]:
    """Count the seconds inside every kernel that is called in a `with` block and was ready before it."""
    from minibert.kernels.compile import KERNELS

    clock, before = Clock(), [(kernel, dict(kernel.ready)) for kernel in KERNELS]
    for kernel, ready in before:
        kernel.ready.update({dtype: clock.timed(loop) for dtype, loop in ready.items()})
    try:
        yield clock
    finally:
        for kernel, ready in before:
            kernel.ready.update(ready)


def outside_kernels(step: Side, steps: int = 9) -> float:
    """Return the median share of a step that is spent outside compiled functions."""
    step.prepare()
    step.run()
    shares = []
    with kernel_clock() as clock:
        for _ in range(steps):
            inside, start = clock.seconds, time.perf_counter()
            step.run()
            shares.append(1 - (clock.seconds - inside) / (time.perf_counter() - start))
    return statistics.median(shares)
