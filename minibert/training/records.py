"""What a `Trainer` tells: records in its state, in the log and to callbacks, and how fast it was."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minibert.training.callbacks import CallbackHandler
from minibert.training.log import RunLog


class TrainOutput(NamedTuple):
    """What `Trainer.train` returns."""

    global_step: int
    training_loss: float  # the mean over all steps
    metrics: dict[str, float]


class TrainerLog(RunLog):
    """A `RunLog` whose records are `state.log_history`, and that tells the callbacks."""

    def __init__(self, folder: Path | None, max_steps: int, progress: bool, handler: CallbackHandler) -> None:
        super().__init__(folder, max_steps, progress, handler.state.log_history, handler.state.global_step)
        self._handler = handler

    def write(self, record: dict[str, Any]) -> None:
        """Log a record."""
        record = _placed(record, self._handler)
        super().write(record)
        self._handler.tell("on_log", logs=record)


def remember(record: dict[str, Any], handler: CallbackHandler) -> dict[str, Any]:
    """Put a record into the state and tell the callbacks. Return it with the epoch and the step."""
    record = _placed(record, handler)
    handler.state.log_history.append(record)
    handler.tell("on_log", logs=record)
    return record


def _placed(record: dict[str, Any], handler: CallbackHandler) -> dict[str, Any]:
    return {**record, "epoch": handler.state.epoch, "step": handler.state.global_step}


def speed(prefix: str, start: float, samples: int, steps: int) -> dict[str, float]:
    """Return what passed since `start`, of `time.perf_counter`, and the rates."""
    seconds = time.perf_counter() - start
    return {
        f"{prefix}_runtime": seconds,
        f"{prefix}_samples_per_second": samples / seconds,
        f"{prefix}_steps_per_second": steps / seconds,
    }


def with_prefix(metrics: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Let all names begin with `prefix` and _; NumPy's scalars become Python's, which JSON knows."""
    return {
        f"{prefix}_{name.removeprefix(f'{prefix}_')}": value.item() if isinstance(value, np.generic) else value
        for name, value in metrics.items()
    }
