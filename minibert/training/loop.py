"""The training loop: batches in, steps, logs and evaluations out. It knows no particular model.

It is the only one: `minibert pretrain` and `Trainer` differ in what they hand to it.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from minibert.errors import TrainingError
from minibert.models.base import Losses, Model
from minibert.training.accumulation import accumulate
from minibert.training.callbacks import CallbackHandler
from minibert.training.log import RunLog, Window
from minibert.training.optimizer import AdamW

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
    seed: int = 0  # of dropout

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
    save: Callable[[int], None],
    handler: CallbackHandler | None = None,
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
    evaluate, save : callables
        Called with the number of steps done. What `evaluate` returns is logged.
    handler : CallbackHandler, optional

    Returns
    -------
    float
        The mean of the steps' losses.

    Raises
    ------
    TrainingError
        If the loss or the gradient of a step is not finite. The step is not taken: the
        parameters are still those of the step before.
    """
    s, handler = settings, handler or CallbackHandler()
    state, control, tell = handler.state, handler.control, handler.tell
    state.max_steps = s.max_steps
    tell("on_train_begin")
    window, total = Window(), 0.0
    if s.eval_on_start:
        log.write({"step": 0, **evaluate(0)})
    for step in range(1, s.max_steps + 1):
        if s.steps_per_epoch and (step - 1) % s.steps_per_epoch == 0:
            tell("on_epoch_begin")
        tell("on_step_begin")
        parts = next(steps)
        losses, grad_norm = take_step(model, optimizer, parts, learning_rate(step), s, step)
        total += losses.total
        window.add(losses, grad_norm, sum(map(count_tokens, parts)))
        log.advance()
        state.global_step, state.epoch = step, step / s.steps_per_epoch if s.steps_per_epoch else 0
        control.should_log, control.should_evaluate = s.due(s.log_every, step), s.due(s.eval_every, step)
        control.should_save = s.due(s.save_every, step)
        tell("on_step_end")
        if s.due(s.steps_per_epoch, step):
            tell("on_epoch_end")
        if control.should_log:
            log.write({"step": step, **window.means(), "learning_rate": optimizer.lr})
            window = Window()
        with window.paused():
            if control.should_evaluate:
                metrics = evaluate(step)
                log.write({"step": step, **metrics})
                tell("on_evaluate", metrics=metrics)
            if control.should_save:
                save(step)
                tell("on_save")
        if control.should_training_stop:
            break
    return total / max(1, state.global_step)


def take_step(
    model: Model, optimizer: AdamW, parts: list[Batch], learning_rate: float, settings: LoopSettings, step: int
) -> tuple[Losses, float]:
    """Change the parameters once. Return the losses and the norm of the gradient."""
    losses, grads = accumulate(model, parts, (settings.seed, step * settings.gradient_accumulation_steps))
    optimizer.lr = learning_rate
    grad_norm = optimizer.step(grads, settings.max_grad_norm) if math.isfinite(losses.total) else math.nan
    if not math.isfinite(grad_norm):
        raise TrainingError(
            f"step {step}: the loss is {losses.total} and the gradient's norm {grad_norm}. The step was not taken. "
            "Try a smaller --learning_rate or a longer --warmup_steps"
        )
    return losses, grad_norm


def count_tokens(batch: Batch) -> int:
    """Return the number of tokens in a batch, padding not counted where the batch says what is padding."""
    if "attention_mask" in batch:
        return int(np.sum(batch["attention_mask"]))
    return np.size(batch.get("input_ids", ()))
