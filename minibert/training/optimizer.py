"""AdamW on a tree of parameters, with clipping by the global norm."""

import math

import numpy as np

from minibert.frozen import trainable
from minibert.ops import adamw, soft_threshold, square_sum
from minibert.tree import Tree, copy_into, flatten


def global_norm(grads: Tree) -> float:
    """Return sqrt(sum of squares of all elements of all gradients)."""
    return math.sqrt(square_sum([g for g in flatten(grads).values() if g is not None]))


class AdamW:
    """AdamW (Loshchilov & Hutter 2019): see `minibert.ops.adamw` for the formula.

    Parameters
    ----------
    params : tree
        Changed in place by `step`. What is Frozen is left alone, and needs no running means.
    lr : float
        Learning rate; `self.lr` may be set before each step (see `minibert.training.schedule`).
    betas, eps : floats
        Decay of the two running means; what keeps the quotient finite.
    weight_decay : float
        Decoupled. It acts on matrices and tables only: not on biases and normalisation
        parameters, which have one axis, as in BERT's released code.
    l1 : float
        L1 penalty, on the same parameters: after each step `soft_threshold` with lr l1.
    """

    def __init__(
        self,
        params: Tree,
        lr: float = 1e-3,
        weight_decay: float = 0.01,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        l1: float = 0.0,
    ) -> None:
        self.params = params
        self.lr = lr
        self.weight_decay = weight_decay
        self.betas = betas
        self.eps = eps
        self.l1 = l1
        self.t = 0
        learned = flatten(trainable(params))
        self._decayed = [name for name, theta in learned.items() if theta.ndim > 1]
        self._not_decayed = [name for name, theta in learned.items() if theta.ndim <= 1]
        self.m = {name: np.zeros_like(theta) for name, theta in learned.items()}
        self.v = {name: np.zeros_like(theta) for name, theta in learned.items()}

    def step(self, grads: Tree, max_grad_norm: float | None = None, skip_above: float = math.inf) -> float:
        """Take one step and return the global norm of the gradients before clipping.

        If the norm exceeds `max_grad_norm`, all gradients are scaled down to it together (Pascanu,
        Mikolov & Bengio 2013). If it is not finite, or exceeds `skip_above`, nothing is changed: the
        caller sees it. A parameter whose gradient is None or left out keeps its value.
        """
        grads = {name: g for name, g in flatten(grads).items() if g is not None}
        norm = global_norm(grads)
        if not math.isfinite(norm) or norm > skip_above:
            return norm
        scale = 1.0 if max_grad_norm is None or norm <= max_grad_norm else max_grad_norm / norm
        self.t += 1
        params = flatten(self.params)
        for names, decay, l1 in ((self._decayed, self.weight_decay, self.l1), (self._not_decayed, 0.0, 0.0)):
            learned = [name for name in names if name in grads]
            arrays = [[by_name[name] for name in learned] for by_name in (params, grads, self.m, self.v)]
            adamw(*arrays, self.t, self.lr, *self.betas, self.eps, decay, scale)
            if l1:
                soft_threshold(arrays[0], self.lr * l1)
        return norm

    def state(self) -> dict[str, np.ndarray]:
        """Return the running means by name; with `t`, the number of steps, that is all it remembers."""
        means = {"m": self.m, "v": self.v}
        return {f"{kind}.{name}": array for kind, by_name in means.items() for name, array in by_name.items()}

    def load_state(self, arrays: dict[str, np.ndarray], t: int) -> None:
        """Take over what `state` returned. Raises `CheckpointError` if it is of other parameters."""
        copy_into(self.state(), arrays, "the optimizer's state")
        self.t = t
