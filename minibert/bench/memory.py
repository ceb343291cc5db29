"""Peak memory of one side, in a process that imports only that side.

The operating system counts: the resident set at its peak, minus what it was before the work. On Linux that is `VmHWM`,
and the peak is set back before the work begins, so that what importing and warming up needed for a moment hides
nothing. (`ru_maxrss` will not do there: a process starts with that of the process which started it.) Elsewhere it is
the growth of `ru_maxrss`. Kernels must be compiled already, or the compiler's memory counts: the bench measures time
first.
"""

import ctypes
import functools
import gc
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

from minibert.bench.process import answer
from minibert.bench.process import measure as in_process

STEPS = 3  # the second holds everything that a step needs, the third shows whether it grows


def extra_memory(what: str, side: str, sizes: dict[str, Any], variant: str = "") -> float | None:
    """Return the bytes that a side takes, measured in a fresh process; None where the system cannot tell.

    `what` is "step": everything that a training step needs (parameters, gradients, optimizer, activations), but no
    code, taken in the way that `step_variants` calls `variant`; or "head": what the vocabulary head with its loss needs
    beyond its inputs and its results.
    """
    if platform.system() == "Windows":
        return None
    return in_process("minibert.bench.memory", {"what": what, "side": side, "sizes": sizes, "variant": variant})


def measure(what: str, side: str, sizes: dict[str, Any], variant: str = "") -> float:
    """Return the bytes, in this process."""
    from minibert.bench.sizes import Sizes

    work = {"step": functools.partial(_step, variant=variant), "head": _head}[what]
    return work(side, Sizes(**sizes))


def _step(side: str, sizes: Any, variant: str) -> float:
    """Some steps, after some of a tiny model that load what has to be loaded: code of libraries, compiled loops."""
    from minibert.bench.sizes import Sizes
    from minibert.bench.steps import step_variants, thread_counts

    def take(sizes: Sizes) -> None:
        step = step_variants(side, sizes, thread_counts())[variant]  # the models of other variants go at once
        step.prepare()
        for _ in range(STEPS):
            step.run()

    small = "gpt2-nano" if sizes.causal else "bert-tiny"
    take(Sizes(small, batch_size=2, seq_len=16, vocab_size=100, dropout=sizes.dropout))
    before = settle()
    take(sizes)
    return peak() - before


def _head(side: str, sizes: Any) -> float:
    """One call, after one with a few rows that loads what has to be loaded."""
    from minibert.bench.cases import head

    work = head(sizes).make(side)  # first, for the kernels tell the C library to keep what is freed
    small = head(replace(sizes, batch_size=2, seq_len=16, vocab_size=100)).make(side)
    small.prepare()
    small.run()
    before = settle()
    results = work.run()
    return peak() - before - sum(r.nbytes for r in results)


def settle() -> float:
    """Give freed memory back, set the peak back where that is possible, and return the resident bytes."""
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
    if platform.system() == "Linux":
        Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak() -> float:
    """Return the largest resident set so far, in bytes."""
    if platform.system() == "Linux":
        status = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    import resource

    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    answer(measure)
