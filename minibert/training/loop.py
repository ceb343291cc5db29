"""The training loop: batches in, steps, logs and evaluations out. It knows no particular model."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from minibert.errors import TrainingError
from minibert.models.base import Model
from minibert.training.accumulation import accumulate
from minibert.training.log import RunLog, Window
from minibert.training.optimizer import AdamW


@dataclass(frozen=True)
class LoopSettings:
    """How long to train, and when to tell."""

    max_steps: int
    log_every: int
    eval_every: int
    gradient_accumulation_steps: int = 1
    max_grad_norm: float | None = 1.0
    seed: int = 0  # of dropout


def train(
    model: Model,
    optimizer: AdamW,
    batches: Iterator[dict[str, Any]],
    learning_rate: Callable[[int], float],
    settings: LoopSettings,
    log: RunLog,
    evaluate: Callable[[int], dict[str, Any]],
) -> None:
    """Train for `max_steps` steps.

    Parameters
    ----------
    model : Model
    optimizer : AdamW
        On `model.params`.
    batches : iterator of dict
        Each step takes `gradient_accumulation_steps` of them.
    learning_rate : callable
        Step 1, 2, ... -> learning rate.
    settings : LoopSettings
    log : RunLog
    evaluate : callable
        Called with the number of steps done, at the start, every `eval_every` steps and at the
        end; returns a record for the log. A good place to save the weights.

    Raises
    ------
    TrainingError
        If the loss or the gradient of a step is not finite. The step is not taken: the
        parameters are still those of the step before.
    """
    s = settings
    window = Window()
    log.write({"step": 0, **evaluate(0)})
    for step in range(1, s.max_steps + 1):
        micro = [next(batches) for _ in range(s.gradient_accumulation_steps)]
        losses, grads = accumulate(model, micro, dropout=(s.seed, step))
        optimizer.lr = learning_rate(step)
        grad_norm = optimizer.step(grads, s.max_grad_norm) if math.isfinite(losses.total) else math.nan
        if not math.isfinite(grad_norm):
            raise TrainingError(
                f"step {step}: the loss is {losses.total} and the gradient's norm {grad_norm}. The step was not taken. "
                "Try a smaller --learning_rate or a longer --warmup_steps"
            )
        window.add(losses, grad_norm, sum(int(batch["attention_mask"].sum()) for batch in micro))
        log.advance()
        if step % s.log_every == 0 or step == s.max_steps:
            log.write({"step": step, **window.means(), "learning_rate": optimizer.lr})
            window = Window()
        if step % s.eval_every == 0 or step == s.max_steps:
            with window.paused():
                log.write({"step": step, **evaluate(step)})
