"""Gradients of a batch that is too large to fit, from its parts."""

from typing import Any

from minibert.blocks.losses import LossPart
from minibert.models.base import Losses, Model
from minibert.tree import Tree, tree_add


def accumulate(
    model: Model, batches: list[dict[str, Any]], dropout: tuple[int, int] | None = None
) -> tuple[Losses, Tree]:
    """Return the losses and gradients of `batches` taken together as one batch.

    Each loss is a mean over its targets, and parts of a batch hold different numbers of them. So
    each part divides by the count of the whole: the sums are then exactly the whole's loss and
    gradient. (A mean of the parts' means would weigh a target by the company it is in.)

    Parameters
    ----------
    model : Model
    batches : list of dict
    dropout : (seed, n), optional
        Part i draws with (seed, n + i): no two parts of a run should meet.
    """
    counts: dict[str, int] = {}
    for batch in batches:
        for name, count in model.count_targets(batch).items():
            counts[name] = counts.get(name, 0) + count
    counts = {name: max(1, count) for name, count in counts.items()}  # without any target the loss is 0
    losses, grads = None, None
    for i, batch in enumerate(batches):
        key = None if dropout is None else (dropout[0], dropout[1] + i)
        part, part_grads = model.losses_and_grads(batch, key, counts)
        losses = part if losses is None else add_losses(losses, part)
        grads = part_grads if grads is None else tree_add(grads, part_grads)
    return losses, grads


def add_losses(a: Losses, b: Losses) -> Losses:
    """Add the losses, and the numbers of targets and of correct guesses."""
    parts = {
        name: LossPart(*(x + y for x, y in zip(part, b.parts[name], strict=True))) for name, part in a.parts.items()
    }
    return Losses(a.total + b.total, parts)
