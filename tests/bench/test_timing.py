"""Turns, medians, and memory that the operating system counts."""

import os
import platform
import subprocess
import sys

import pytest

from minibert.bench import timing
from minibert.bench.process import measure, thread_environment
from minibert.bench.steps import available_cores, thread_counts
from minibert.bench.timing import Budget, Side, compare
from minibert.errors import MinibertError


def test_sides_take_turns(quick, monkeypatch):
    """A round is A B C. With a clock of one second a call no call is short, so each turn is one call."""
    ticks = iter(range(1000))
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(ticks))
    order = []
    sides = {
        name: Side(lambda name=name: order.append(name), lambda name=name: order.append(f"prepare {name}"))
        for name in "ABC"
    }
    seconds = compare(sides, Budget(seconds=1.0, repeat=2))
    assert seconds == {"A": 1, "B": 1, "C": 1}
    rounds = [word for name in "ABC" for word in (f"prepare {name}", name)]
    assert order == 4 * rounds  # a first call, an estimate, two rounds


def test_a_short_call_runs_first_without_the_clock(quick):
    calls = []
    times = timing.turn(Side(lambda: calls.append(1), lambda: None), estimate=1e-6)
    assert len(times) == timing.CALLS
    assert len(calls) == timing.CALLS + 1


@pytest.mark.skipif(platform.system() == "Windows", reason="the system does not tell")
def test_peak_memory_is_what_was_touched():
    """Neither an earlier peak of the process nor memory that was freed before hides 80 MB."""
    program = (
        "import numpy as np; from minibert.bench.memory import peak, settle\n"
        "before = settle(); a = np.ones(10_000_000); del a; print(peak() - before)"
    )
    if platform.system() == "Linux":
        program = "import numpy as np; b = np.ones(20_000_000); del b\n" + program
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 79e6 < float(done.stdout) < 90e6


def test_a_process_that_fails_is_one_line():
    with pytest.raises(MinibertError, match="KeyError"):
        measure("minibert.bench.memory", {"what": "nonsense", "side": "numpy", "sizes": {}})


def test_thread_counts(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(6), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert thread_counts() == [1, 2, 4, 6]
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert available_cores() == 3
    assert set(thread_environment(3).values()) == {"3"}
