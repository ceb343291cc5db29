"""AdamW with clipping over all arrays of a model."""

import functools

import numpy as np

from minibert import dispatch
from minibert.bench.timing import Side
from minibert.models.bert import BertConfig
from minibert.models.bert_heads import BertForPreTraining
from minibert.training.optimizer import AdamW
from minibert.tree import flatten, tree_map

SETTINGS = {"lr": 1e-4, "weight_decay": 0.01}  # of every optimizer in this package
MAX_GRAD_NORM = 1.0


def adamw_side(config: BertConfig, side: str) -> Side:
    """Return one step on random gradients, with all the parameters as its result.

    Whether clipping changes anything or not, every side reads all gradients twice: for the norm, and to step.
    """
    params = BertForPreTraining(config).params
    rng = np.random.default_rng(0)
    grads = tree_map(lambda p: rng.standard_normal(p.shape, np.float32), params)
    if side == "torch":
        from minibert.bench.torch_ops import adamw

        return adamw(flatten(params), flatten(grads))
    optimizer = AdamW(params, **SETTINGS)

    def run() -> tuple[np.ndarray, ...]:
        optimizer.step(grads, MAX_GRAD_NORM)
        return tuple(flatten(params).values())

    return Side(run, functools.partial(dispatch.set_backend, {"kernels": "numba"}.get(side, "numpy")))
