"""The training loop: batches in, steps, logs, evaluations and checkpoints out. It knows no particular model.

It is the only one: `minibert pretrain` and `Trainer` differ in what they hand to it.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from minibert.distributed import ALONE, World
from minibert.errors import TrainingError
from minibert.models.base import Losses, Model
from minibert.training.accumulation import accumulate
from minibert.training.callbacks import CallbackHandler
from minibert.training.grad_norms import grad_norms_by_layer
from minibert.training.log import RunLog, Window
from minibert.training.optimizer import AdamW
from minibert.training.progress import Progress
from minibert.training.spikes import why_skipped

Batch = dict[str, Any]


@dataclass(frozen=True)
class LoopSettings:
    """How long to train, and after how many steps each thing happens: at the end too, or never if it is 0."""

    max_steps: int
    log_every: int
    eval_every: int
    save_every: int = 0
    steps_per_epoch: int = 0  # 0: there are no epochs
    eval_on_start: bool = True
    gradient_accumulation_steps: int = 1
    max_grad_norm: float | None = 1.0
    max_skipped_steps: int = 10  # in a row; then the run ends
    seed: int = 0  # of dropout
    log_grad_norms: bool = False  # of each layer, at the steps that are logged

    def due(self, every: int, step: int) -> bool:
        """Return whether what happens `every` so many steps happens after `step`."""
        return every > 0 and (step % every == 0 or step == self.max_steps)


def in_steps(batches: Iterator[Batch], gradient_accumulation_steps: int) -> Iterator[list[Batch]]:
    """Group an endless stream of batches into what each step takes."""
    while True:
        yield list(islice(batches, gradient_accumulation_steps))


def train(
    model: Model,
    optimizer: AdamW,
    steps: Iterator[list[Batch]],
    learning_rate: Callable[[int], float],
    settings: LoopSettings,
    log: RunLog,
    evaluate: Callable[[int], dict[str, Any]],
    save: Callable[[Progress], None],
    handler: CallbackHandler | None = None,
    progress: Progress | None = None,
    world: World = ALONE,
) -> float:
    """Train for `max_steps` steps, or until a callback stops.

    Parameters
    ----------
    model : Model
    optimizer : AdamW
        On `model.params`.
    steps : iterator of lists of dict
        The parts of each step's batch, at most `gradient_accumulation_steps`: see `accumulate`.
    learning_rate : callable
        Step 1, 2, ... -> learning rate.
    settings : LoopSettings
    log : RunLog
    evaluate : callable
        Number of steps done -> what is logged about them.
    save : callable
        Keeps the run as it is now, and its progress.
    handler : CallbackHandler, optional
    progress : Progress, optional
        Where a run that goes on was; what is due after that step is done. Moved on in place.
    world : World, optional
        The ranks that train together. All else is the same on each of them, but what is written.

    Returns
    -------
    float
        The mean of the losses of the steps that were taken.

    Raises
    ------
    TrainingError
        If the loss or the gradient was not finite, or an outlier, in `max_skipped_steps` steps in a row. They
        were not taken: the parameters are still those of the step before them.
    """
    s, handler, progress = settings, handler or CallbackHandler(), progress or Progress()
    state, control, tell = handler.state, handler.control, handler.tell
    state.max_steps = s.max_steps
    tell("on_train_begin")
    if s.eval_on_start and progress.step == 0:
        log.write({"step": 0, **evaluate(0)})
    for step in range(progress.step + 1, s.max_steps + 1):
        if s.steps_per_epoch and (step - 1) % s.steps_per_epoch == 0:
            tell("on_epoch_begin")
        tell("on_step_begin")
        parts, limit = next(steps), progress.norms.limit()
        losses, grad_norm, of_layers = take_step(model, optimizer, parts, learning_rate(step), s, step, limit, world)
        state.global_step, state.epoch = step, step / s.steps_per_epoch if s.steps_per_epoch else 0
        if why := why_skipped(losses.total, grad_norm, limit):
            progress.skip(step)
            log.write({"step": step, "skipped": why})
            check_skipped(progress, s, why)
        else:
            progress.take(step, losses, grad_norm, sum(map(count_tokens, parts)))
        log.advance()
        control.should_log, control.should_evaluate = s.due(s.log_every, step), s.due(s.eval_every, step)
        control.should_save = s.due(s.save_every, step)
        tell("on_step_end")
        if s.due(s.steps_per_epoch, step):
            tell("on_epoch_end")
        if control.should_log and progress.window.steps:
            log.write({"step": step, **progress.window.means(), "learning_rate": optimizer.lr, **of_layers})
            progress.window = Window()
        with progress.window.paused():
            if control.should_evaluate:
                metrics = evaluate(step)
                log.write({"step": step, **metrics})
                tell("on_evaluate", metrics=metrics)
            if control.should_save:
                save(progress)
                tell("on_save")
        if control.should_training_stop:
            break
    return progress.total / max(1, progress.taken)


def take_step(
    model: Model,
    optimizer: AdamW,
    parts: list[Batch],
    learning_rate: float,
    settings: LoopSettings,
    step: int,
    limit: float = math.inf,
    world: World = ALONE,
) -> tuple[Losses, float, dict[str, Any]]:
    """Change the parameters once, unless loss or gradient is not finite, or the gradient's norm is above `limit`.

    Return the losses, the norm of the gradient, and what the log says about the norms of its layers: nothing, unless
    this step is logged and was taken.
    """
    losses, grads = accumulate(model, parts, (settings.seed, step * settings.gradient_accumulation_steps), world)
    optimizer.lr = learning_rate
    if not math.isfinite(losses.total):
        return losses, math.nan, {}
    norm = optimizer.step(grads, settings.max_grad_norm, limit)
    logged = settings.log_grad_norms and settings.due(settings.log_every, step)
    if not logged or why_skipped(losses.total, norm, limit):
        return losses, norm, {}
    return losses, norm, {"grad_norms": grad_norms_by_layer(grads)}  # the optimizer leaves gradients as they are


def check_skipped(progress: Progress, settings: LoopSettings, why: str) -> None:
    """Raise `TrainingError` if too many steps in a row were skipped, the last for the reason `why`."""
    if progress.skipped_in_a_row >= settings.max_skipped_steps:
        raise TrainingError(
            f"step {progress.step}: {why}. This and the {progress.skipped_in_a_row - 1} steps before it were not "
            "taken. Try a smaller --learning_rate or a longer --warmup_steps"
        )


def count_tokens(batch: Batch) -> int:
    """Return the number of tokens in a batch, padding not counted where the batch says what is padding."""
    if "attention_mask" in batch:
        return int(np.sum(batch["attention_mask"]))
    return np.size(batch.get("input_ids", ()))
