"""All of the bench, in order: ops, memory of the head, training steps, the first step."""

import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from tqdm import tqdm

from minibert import dispatch
from minibert.bench import flops
from minibert.bench.cases import OPS, Case, all_cases
from minibert.bench.cold import first_steps
from minibert.bench.decoding import decoding_rows
from minibert.bench.encoding import check_name, encoding_rows, missing
from minibert.bench.machine import ceiling, describe
from minibert.bench.memory import extra_memory
from minibert.bench.overhead import outside_kernels
from minibert.bench.rows import Row, Target, ratio
from minibert.bench.sizes import Sizes
from minibert.bench.steps import fastest, side_names, step_variants, thread_counts
from minibert.bench.timing import Budget, compare
from minibert.errors import ConfigError
from minibert.models.gpt2 import GPT2Config

STEP_TARGETS = {
    ("bert-mini", "kernels"): (Target("share", ">=", 0.75),),
    ("bert-mini", "torch"): (Target("times", ">=", 1.6), Target("memory_ratio", "<=", 0.5)),
    ("bert-mini", "huggingface"): (Target("times", ">=", 4.5),),
    ("bert-base", "torch"): (Target("times", ">=", 1.3),),
    ("gpt2-nano", "torch"): (Target("times", ">=", 2.0),),
}
TITLES = {"kernels": "kernels", "numpy": "NumPy", "torch": "PyTorch", "huggingface": "Hugging Face"}


@dataclass
class Plan:
    """What to measure."""

    ops: list[str]
    steps: list[Sizes]  # whose training steps
    sizes: Sizes  # of the ops
    budget: Budget
    torch: bool
    cold: bool
    decode: list[str] = field(default_factory=list)  # sizes of GPT-2
    encode: list[str] = field(default_factory=list)  # models that can be fetched

    def __post_init__(self) -> None:
        """Raise `ConfigError` for a name that is none, or for a run that could not end."""
        for name in self.ops:
            if name not in OPS:
                raise ConfigError(f"no op named {name!r} to measure: choose among {', '.join(OPS)}")
        for name in self.decode:
            GPT2Config.named(name)  # raises for a name that is none
        for name in self.encode:
            check_name(name)
        if self.budget.repeat < 0 or not 0 < self.budget.seconds < float("inf"):
            raise ConfigError("--repeat must not be negative, and --seconds must be positive")


@dataclass
class Report:
    """What was measured, on what."""

    machine: dict[str, Any]
    settings: dict[str, Any]
    rows: list[Row]
    notes: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Return what the JSON file holds."""
        return {
            "machine": self.machine,
            "settings": self.settings,
            "notes": self.notes,
            "rows": [row.to_dict() for row in self.rows],
        }


def bench(plan: Plan) -> Report:
    """Measure everything that the plan names, with a progress bar, or a line for each part, on standard error."""
    rows = []
    with dispatch.backend("numba"):  # sides choose their own; this complains where Numba is missing, and puts back
        best = ceiling()
        bar = tqdm(list(_jobs(plan)), unit="row", dynamic_ncols=True, disable=not sys.stderr.isatty())
        for name, job in bar:
            bar.set_postfix_str(name)
            if bar.disable:
                print(f"measuring: {name}", file=sys.stderr, flush=True)
            rows += job()
    best = max(best, ceiling())  # the machine may have been busy the first time
    rows = [*matmul_summary([row for row in rows if row.name.startswith("matmul ")], plan.sizes), *rows]
    for row in rows:
        row.values["share"] = ratio(row.values.get("gflops"), best / 1e9)
        row.judge()
    machine = {**describe(), "best_product_gflops": best / 1e9}
    settings = {
        "sizes": asdict(plan.sizes),
        "steps": [asdict(sizes) for sizes in plan.steps],
        "budget": plan.budget._asdict(),
    }
    notes = [] if plan.torch else ['without PyTorch; its columns need: pip install "minibert-numpy[oracle]"']
    return Report(machine, settings, rows, notes + missing(plan.encode))


def _jobs(plan: Plan) -> Iterator[tuple[str, Callable[[], list[Row]]]]:
    """Yield what is to be done, by name; the large arrays of a job live no longer than it."""
    sides = ["kernels", "numpy"] + (["torch"] if plan.torch else [])
    for case in all_cases(plan.sizes, plan.ops):
        yield case.name, lambda case=case: [op_row(case, sides, plan)]
    if "linear_cross_entropy" in plan.ops:
        yield "memory of the head", lambda: [head_memory_row(plan.sizes, sides)]
    for sizes in plan.steps:
        yield f"step of {sizes.model}", lambda sizes=sizes: step_rows(sizes, plan)
    for name in plan.decode:
        yield f"writing of {name}", lambda name=name: decoding_rows(name, plan.budget, plan.torch)
    for name in plan.encode:
        yield f"encoding with {name}", lambda name=name: encoding_rows(name, plan.budget, plan.torch)
    if plan.cold:
        yield "first step", lambda: cold_rows(plan.sizes)


def op_row(case: Case, sides: list[str], plan: Plan) -> Row:
    """Measure one op."""
    made = {side: case.make(side) for side in sides} | ({"full": case.full()} if case.full else {})
    seconds = compare(made, plan.budget)
    values = {f"{side}_ms": 1e3 * seconds[side] for side in sides}
    values["times_full"] = seconds["full"] / seconds["kernels"] if case.full else None
    for side in sides[1:]:
        values[f"times_{side}"] = seconds[side] / seconds["kernels"]
    values["gflops"] = case.flops / seconds["kernels"] / 1e9 if case.flops else None
    from minibert import kernels

    note = "" if case.op == "matmul" or hasattr(kernels, case.op) else "no kernel yet: the reference runs"
    return Row("ops", case.name, values, case.targets if plan.sizes.are_standard() else (), note)


def matmul_summary(rows: list[Row], sizes: Sizes) -> list[Row]:
    """Return the geometric mean and the slowest of all products, which is what the targets are about."""
    if not rows:
        return []
    keys = [key for key in ("times_numpy", "times_torch") if key in rows[0].values]
    mean = {key: statistics.geometric_mean(row.values[key] for row in rows) for key in keys}
    least = {key: min(row.values[key] for row in rows) for key in keys}
    judged = sizes.are_standard()
    return [
        Row("ops", f"all {len(rows)} products, geometric mean", mean, judged * (Target("times_numpy", ">=", 1.0),)),
        Row("ops", f"all {len(rows)} products, slowest", least, judged * (Target("times_numpy", ">=", 0.9),)),
    ]


def head_memory_row(sizes: Sizes, sides: list[str]) -> Row:
    """Measure the memory of the vocabulary head with its loss, beyond inputs and results."""
    taken = {side: extra_memory("head", side, asdict(sizes)) for side in sides}
    values = {f"{side}_mb": ratio(n, 1e6) for side, n in taken.items()}
    values["memory_ratio"] = ratio(taken["kernels"], taken.get("torch"))
    target = (Target("memory_ratio", "<=", 0.1),) if sizes.are_standard() else ()
    return Row("memory", "linear_cross_entropy, beyond inputs and results", values, target)


def step_rows(sizes: Sizes, plan: Plan) -> list[Row]:
    """Measure the training step of one model on all sides, one row a side."""
    names = side_names(sizes.model, plan.torch)
    chosen = {name: fastest(step_variants(name, sizes, thread_counts())) for name in names}
    seconds = compare({name: side for name, (_, side) in chosen.items()}, plan.budget)
    variants = {name: variant for name, (variant, _) in chosen.items()}
    outside = outside_kernels(chosen["kernels"][1])
    del chosen
    count = flops.step(sizes)
    rows, kernels_memory = [], None
    for name in names:
        memory = extra_memory("step", name, asdict(sizes), variants[name])
        kernels_memory = memory if name == "kernels" else kernels_memory
        other = name != "kernels"
        values = {
            "ms": 1e3 * seconds[name],
            "tokens_per_second": sizes.batch_size * sizes.seq_len / seconds[name],
            "gflops": count / seconds[name] / 1e9,
            "mb": ratio(memory, 1e6),
            "outside_kernels": None if other else outside,
            "times": seconds[name] / seconds["kernels"] if other else None,
            "memory_ratio": ratio(kernels_memory, memory) if other else None,
        }
        title = f"{sizes.model}, B {sizes.batch_size}, T {sizes.seq_len}: {TITLES[name]}"
        targets = STEP_TARGETS.get((sizes.model, name), ()) if sizes.are_standard() else ()
        rows.append(Row("steps", title, values, targets, variants[name]))
    return rows


def cold_rows(sizes: Sizes) -> list[Row]:
    """Measure the first step, everything compiled anew, and the first step of the next process."""
    cold, warm = first_steps(sizes)
    judged = sizes.are_standard()
    return [
        Row(
            "cold",
            f"first step of {sizes.model}, compiling",
            {"seconds": cold},
            judged * (Target("seconds", "<=", 45),),
        ),
        Row("cold", "first step of the next process", {"seconds": warm}, judged * (Target("seconds", "<=", 2),)),
    ]
