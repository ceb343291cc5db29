"""What a method costs: time of a training step, what trains, and the memory of a run, for one batch of full length."""

import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from minibert.bench.memory import peak, settle
from minibert.finetuning.features import remember_features
from minibert.models.base import Model
from minibert.study.cells import METHODS
from minibert.study.recipes import VIRTUAL_TOKENS
from minibert.study.starts import adapted, start_model
from minibert.study.table import markdown
from minibert.training.optimizer import AdamW
from minibert.tree import tree_items
from minibert.units import bytes_text

ROUNDS = 5


def measure_costs(folder: Path, batch_size: int, max_length: int, seed: int = 0) -> dict[str, dict[str, Any]]:
    """Return, of each method, what a step of the model in `folder` costs: all-MiniLM-L6-v2.

    Memory is what the process takes beyond the weights while it trains; it is measured first, one method after the
    other. Then the methods take turns, and the median of the times counts. Of feature extraction the first step
    computes the features, and all further ones are measured.
    """
    found, steps = {}, {}
    for method in METHODS:
        model = _model(folder, method, seed)
        step = _steps(model, method, batch_size, max_length, seed)
        before = settle()
        next(step)
        next(step)
        found[method] = {
            "trainable_parameters": model.num_trainable_parameters(),
            "memory": peak() - before,
            "optimizer_memory": next(step),
        }
        steps[method] = step
    times: dict[str, list[float]] = {method: [] for method in METHODS}
    for _ in range(ROUNDS):
        for method, step in steps.items():
            start = time.perf_counter()
            next(step)
            times[method].append(time.perf_counter() - start)
    for method, seconds in times.items():
        found[method]["seconds_per_step"] = float(np.median(seconds))
    return found


def _model(folder: Path, method: str, seed: int) -> Model:
    model = adapted(start_model("minilm", folder, seed), method, seed)
    return remember_features(model) if method == "features" else model


def _steps(model: Model, method: str, batch_size: int, max_length: int, seed: int) -> Iterator[int]:
    """Take a step each time; yield the bytes of the optimizer's state."""
    T = max_length - VIRTUAL_TOKENS * (method == "prompt")
    rng = np.random.default_rng(seed)
    ids = rng.integers(5, model.config.vocab_size, (batch_size, T))  # (B, T)
    batch = {"input_ids": ids, "labels": rng.integers(0, 2, batch_size)}
    optimizer = AdamW(model.params, lr=1e-5)
    size = sum(leaf.nbytes for tree in (optimizer.m, optimizer.v) for _, leaf in tree_items(tree))
    for i in count():
        _, grads = model.losses_and_grads(batch, (seed, i))
        optimizer.step(grads, 1.0)
        yield size


def costs_table(costs: dict[str, dict[str, Any]]) -> str:
    """Return a row for each method."""
    rows = [["all-minilm-l6-v2", "trains", "time of a step", "memory to train", "of it optimizer state"]]
    for method, cost in costs.items():
        rows.append(
            [
                METHODS[method],
                f"{cost['trainable_parameters']:,}",
                f"{1000 * cost['seconds_per_step']:,.0f} ms",
                bytes_text(cost["memory"]),
                bytes_text(cost["optimizer_memory"]),
            ]
        )
    return markdown(rows)
