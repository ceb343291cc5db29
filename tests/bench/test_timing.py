"""Turns, medians, and memory that the operating system counts."""

import importlib
import os
import platform
import subprocess
import sys
import time
from dataclasses import asdict

import numpy as np
import pytest

from minibert.bench import memory, steps, timing
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


@pytest.mark.skipif(platform.system() != "Linux", reason="elsewhere the peak cannot be set back")
def test_memory_is_that_of_the_variant_asked_for(sizes, monkeypatch):
    """Of two ways to take a step, which touch 8 and 80 MB."""
    numbers = {"careful": 1_000_000, "wasteful": 10_000_000}
    sides = {name: Side(lambda n=n: np.ones(n), lambda: None) for name, n in numbers.items()}
    monkeypatch.setattr(steps, "step_variants", lambda *_: sides)
    assert memory.measure("step", "torch", asdict(sizes), "careful") < 20e6
    assert 79e6 < memory.measure("step", "torch", asdict(sizes), "wasteful") < 90e6


def test_memory_is_measured_of_the_variant_that_is_timed(sizes, quick, monkeypatch):
    run, asked = importlib.import_module("minibert.bench.run"), []
    ways = {"slow": Side(lambda: time.sleep(0.01), lambda: None), "fast": Side(lambda: None, lambda: None)}
    monkeypatch.setattr(run, "step_variants", lambda name, *_: {f"{name}, {way}": ways[way] for way in ways})
    monkeypatch.setattr(run, "extra_memory", lambda *args: asked.append(args))
    plan = run.Plan([], [sizes], sizes, Budget(0.01, 1), torch=False, cold=False)
    rows = run.step_rows(sizes, plan)
    assert [row.note for row in rows] == ["kernels, fast", "numpy, fast"]
    assert asked == [("step", name, asdict(sizes), f"{name}, fast") for name in ("kernels", "numpy")]


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
