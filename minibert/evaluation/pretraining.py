"""Held-out loss of pre-training, and the loss of the best guess that ignores the context."""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from minibert.dispatch import no_grad
from minibert.models.base import Model


class Unigram(NamedTuple):
    """The best context-free guess."""

    loss: float  # nats per token
    accuracy: float


def unigram(counts: np.ndarray) -> Unigram:
    """Return what can be reached by guessing tokens by their frequency alone.

    counts (V,): how often each token occurs in the text that is to be predicted. The loss is the
    entropy of that distribution,

        H = -sum_v p_v log p_v,  p_v = counts_v / sum of counts,

    the lowest that *any* guess without context can have on this text, even one that
    knows the text's own frequencies. A model that scores below it has used the context.
    """
    p = counts[counts > 0] / counts.sum()
    return Unigram(float(-(p * np.log(p)).sum()), float(p.max()))


def evaluate(model: Model, batches: Iterable[dict[str, Any]]) -> dict[str, float]:
    """Return the mean loss and accuracy over all targets of `batches`, without dropout.

    Returns
    -------
    dict
        `eval_mlm_loss`, `eval_perplexity` (its exponential), `eval_mlm_accuracy`, and `eval_nsp_loss`,
        `eval_nsp_accuracy` if the model and the batches have them.
    """
    sums: dict[str, np.ndarray] = {}
    for batch in batches:
        with no_grad():
            losses, _ = model.forward_loss(batch, None, {})
        for name, part in losses.parts.items():
            sums[name] = sums.get(name, 0) + np.array([part.loss * part.count, part.correct, part.count])
    record = {}
    for name, (loss, correct, count) in sums.items():
        record[f"eval_{name}_loss"] = float(loss / count)
        record[f"eval_{name}_accuracy"] = float(correct / count)
    if "eval_mlm_loss" in record:
        record["eval_perplexity"] = math.exp(min(record["eval_mlm_loss"], 700))  # exp(710) overflows
    return record
