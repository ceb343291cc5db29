"""Held-out loss of pre-training."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from minibert.dispatch import no_grad
from minibert.distributed import ALONE, World
from minibert.models.base import Model
from minibert.training.log import main_part


def evaluate(model: Model, batches: Iterable[dict[str, Any]], world: World = ALONE) -> dict[str, float]:
    """Return the mean loss and accuracy over all targets of `batches`, without dropout. Ranks share each batch.

    Returns
    -------
    dict
        `eval_mlm_loss`, `eval_mlm_accuracy` and the like of each loss that the model and the batches have: "mlm",
        "nsp", "clm"; and `eval_perplexity`, the exponential of the loss by token.
    """
    sums: dict[str, np.ndarray] = {}
    for batch in batches:
        with no_grad():
            losses, _ = model.forward_loss(world.part(batch), None, {})
        for name, part in losses.parts.items():
            sums[name] = sums.get(name, 0) + np.array([part.loss * part.count, part.correct, part.count])
    record = {}
    for name, (loss, correct, count) in ((name, world.sum(numbers)) for name, numbers in sums.items()):
        record[f"eval_{name}_loss"] = float(loss / count)
        record[f"eval_{name}_accuracy"] = float(correct / count)
    if name := main_part(record, "eval_"):
        record["eval_perplexity"] = math.exp(min(record[f"eval_{name}_loss"], 700))  # exp(710) overflows
    return record
