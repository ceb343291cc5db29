"""`minibert bench --scaling`: training on 1 and on 2 ranks here, and what to expect of more."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from minibert.bench.machine import describe
from minibert.bench.process import thread_environment
from minibert.bench.scaling_model import Network, StepTime, Work, step_time, work_of
from minibert.bench.sizes import Sizes
from minibert.bench.steps import available_cores
from minibert.distributed import find_mpiexec
from minibert.errors import ConfigError, MinibertError
from minibert.models.bert import BertConfig

RANKS = (1, 2, 4, 8, 16, 32, 64)


class Plan(NamedTuple):
    """What to measure, and what to go on with."""

    sizes: Sizes  # batch_size is that of one rank, here
    steps: int  # that are measured
    rows: int  # of a batch of all ranks together, in the model
    network: Network  # in the model
    backend: str = "numba"


class Scaling(NamedTuple):
    """What was measured, and what follows from it."""

    plan: Plan
    machine: dict[str, Any]
    measured: dict[int, dict[str, float]]  # ranks -> seconds of gradients, sums, update
    work: Work
    here: Network  # as fast as two ranks on this machine were seen to add
    modelled: dict[int, StepTime]  # ranks -> a step of `rows` sequences

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` writes."""
        plan = {"sizes": asdict(self.plan.sizes), "rows": self.plan.rows, "network": self.plan.network._asdict()}
        modelled = {ranks: time._asdict() for ranks, time in self.modelled.items()}
        return {"machine": self.machine, "plan": plan, "measured": self.measured, "modelled": modelled}


def scaling(plan: Plan) -> Scaling:
    """Measure, with the cores of this machine divided by two in either case.

    Raises
    ------
    ConfigError
        If the model is not a BERT, or a number cannot work.
    MissingExtraError
        If there is no mpiexec.
    """
    if plan.sizes.model not in BertConfig.sizes:
        raise ConfigError(f"--scaling is about BERT: {', '.join(BertConfig.sizes)}, not {plan.sizes.model}")
    if plan.rows < 1 or plan.steps < 1 or not (plan.network.bandwidth > 0 and plan.network.latency >= 0):
        raise ConfigError("--global_batch and --bandwidth must be positive, and --latency must not be negative")
    measured = {ranks: _measure(ranks, plan) for ranks in (1, 2)}
    work = work_of(plan.sizes, measured[1]["gradients"] / plan.sizes.batch_size, measured[1]["update"])
    everything = work.layers * work.layer_bytes + work.other_bytes
    here = Network(everything / measured[2]["sums"], 0.0)  # each of two ranks sends half twice
    modelled = {ranks: step_time(work, ranks, plan.rows, plan.network) for ranks in RANKS}
    return Scaling(plan, describe(), measured, work, here, modelled)


def _measure(ranks: int, plan: Plan) -> dict[str, float]:
    task = json.dumps({"sizes": asdict(plan.sizes), "steps": plan.steps, "backend": plan.backend})
    command = [sys.executable, "-m", "minibert.bench.scaling_rank", task]
    command = command if ranks == 1 else [find_mpiexec(), "-n", str(ranks), *command]
    environment = {**os.environ, **thread_environment(max(1, available_cores() // 2))}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise MinibertError(f"measuring {ranks} ranks failed with code {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout.splitlines()[-1])


def text(result: Scaling) -> str:
    """Return the tables."""
    (sizes, _, rows, network, _), work = result.plan, result.work
    B = sizes.batch_size
    lines = [f"{sizes.model}, {sizes.seq_len} tokens, measured here with {B} sequences a rank:", ""]
    lines += [f"{'ranks':>6}{'gradients':>12}{'sums alone':>12}{'update':>10}{'sequences/s':>13}{'modelled':>10}"]
    for ranks, seconds in result.measured.items():
        took = seconds["gradients"] + seconds["update"]
        expected = step_time(work, ranks, B * ranks, result.here).total
        numbers = (f"{seconds[name]:.3f} s" for name in ("gradients", "sums", "update"))
        lines.append(
            "{:>6}{:>12}{:>12}{:>10}".format(ranks, *numbers) + f"{B * ranks / took:13.2f}{B * ranks / expected:10.2f}"
        )
    lines += [
        "",
        f"A step sends {(work.layers * work.layer_bytes + work.other_bytes) / 1e6:,.0f} MB of gradients. "
        f"The model: batches of {rows} sequences, {network.bandwidth / 1e9:g} GB/s and {network.latency * 1e6:g} us "
        "a message between any two ranks, each as fast as one here:",
        "",
        f"{'ranks':>6}{'sequences':>11}{'compute':>11}{'sums':>10}{'step':>10}{'speed-up':>10}{'efficiency':>12}",
    ]
    alone = result.modelled[1].total
    for ranks, time in result.modelled.items():
        faster = alone / time.total
        lines.append(
            f"{ranks:6}{-(-rows // ranks):11}{time.compute:9.2f} s{time.messages:8.2f} s{time.total:8.2f} s"
            f"{faster:10.1f}{faster / ranks:12.0%}"
        )
    return "\n".join(lines)


def draw(result: Scaling, picture: Path) -> None:
    """Draw the speed-up by the number of ranks: measured, modelled, and modelled without overlapping."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from minibert.files import write_whole

    sizes, _, rows, network, _ = result.plan
    alone = result.modelled[1].total
    overlapped = [alone / time.total for time in result.modelled.values()]
    one_by_one = [alone / (time.compute + time.messages) for time in result.modelled.values()]
    rate = {n: n / (seconds["gradients"] + seconds["update"]) for n, seconds in result.measured.items()}
    figure = Figure(figsize=(7, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(RANKS, RANKS, "--", color="grey", lw=1, label="as many times as there are ranks")
    axes.plot(RANKS, overlapped, "o-", color="C0", label="model: sums while backward goes on")
    axes.plot(RANKS, one_by_one, "s-", color="C1", mfc="white", label="model: sums after backward")
    axes.plot(
        list(rate), [r / rate[1] for r in rate.values()], "*", color="C2", ms=14, label="measured, both on one machine"
    )
    for log in (axes.set_xscale, axes.set_yscale):
        log("log", base=2)
    for set_ticks in (axes.set_xticks, axes.set_yticks):
        set_ticks(RANKS, RANKS)
    axes.set_xlabel("ranks")
    axes.set_ylabel("times as fast as one rank")
    axes.set_title(
        f"{sizes.model}, batches of {rows} sequences of {sizes.seq_len} tokens\n"
        f"{network.bandwidth / 1e9:g} GB/s and {network.latency * 1e6:g} µs a message between ranks"
    )
    axes.legend(loc="upper left")
    axes.grid(alpha=0.3)
    write_whole(picture, lambda path: figure.savefig(path, dpi=120, format=picture.suffix[1:]))
