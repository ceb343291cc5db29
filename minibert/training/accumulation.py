"""Gradients of a batch that is too large for one go, or for one rank, from its parts."""

from contextlib import nullcontext
from typing import Any

import numpy as np

from minibert.blocks.losses import LossPart
from minibert.distributed import ALONE, World
from minibert.models.base import Losses, Model
from minibert.tree import Tree, tree_add


def accumulate(
    model: Model,
    batches: list[dict[str, Any]],
    dropout: tuple[int, int] | None = None,
    world: World = ALONE,
) -> tuple[Losses, Tree]:
    """Return the losses and gradients of `batches` taken together as one batch.

    Each loss is a mean over its targets, and parts of a batch hold different numbers of them. So
    each part divides by the count of the whole: the sums are then exactly the whole's loss and
    gradient. (A mean of the parts' means would weigh a target by the company it is in.) Ranks share each of
    `batches`: they divide by the count of the whole too, and their sums are on all of them.

    Parameters
    ----------
    model : Model
    batches : list of dict
    dropout : (seed, n), optional
        Part i draws with (seed, n + i): no two parts of a run should meet. On rank r of N it is (n + i) N + r.
    world : World, optional
        The ranks, each of which has all of `batches`.
    """
    counts: dict[str, int] = {}
    for batch in batches:
        for name, count in model.count_targets(batch).items():
            counts[name] = counts.get(name, 0) + count
    counts = {name: max(1, count) for name, count in counts.items()}  # without any target the loss is 0
    losses, grads = None, None
    for i, batch in enumerate(batches):
        key = None if dropout is None else (dropout[0], (dropout[1] + i) * world.size + world.rank)
        with world.sum_early(grads) if i == len(batches) - 1 else nullcontext():
            part, part_grads = model.losses_and_grads(world.part(batch), key, counts)
        losses = part if losses is None else add_losses(losses, part)
        grads = part_grads if grads is None else tree_add(grads, part_grads)
    return sum_losses(losses, world), world.sum_gradients(grads)


def add_losses(a: Losses, b: Losses) -> Losses:
    """Add the losses, and the numbers of targets and of correct guesses."""
    parts = {
        name: LossPart(*(x + y for x, y in zip(part, b.parts[name], strict=True))) for name, part in a.parts.items()
    }
    return Losses(a.total + b.total, parts)


def sum_losses(losses: Losses, world: World) -> Losses:
    """Add the losses of all ranks, and their numbers of targets and of correct guesses."""
    numbers = world.sum(np.array([losses.total, *(x for part in losses.parts.values() for x in part)], np.float64))
    parts = {
        name: LossPart(float(loss), int(correct), int(count))
        for name, (loss, correct, count) in zip(losses.parts, numbers[1:].reshape(-1, 3), strict=True)
    }
    return Losses(float(numbers[0]), parts)
