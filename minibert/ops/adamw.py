"""AdamW, Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2).

These two ops have no backward: they stand at the end of a step. `adamw` writes in place, for
parameters are the one thing that training changes.
"""

from collections.abc import Sequence

import numpy as np

from minibert.dispatch import op


@op
def square_sum(arrays: Sequence[np.ndarray]) -> float:
    """sum of x^2 over all elements of all arrays, accumulated in float64: the square of their global norm."""
    return sum(float(np.sum(np.square(x, dtype=np.float64))) for x in arrays)


@op
def adamw(
    thetas: Sequence[np.ndarray],
    gs: Sequence[np.ndarray],
    ms: Sequence[np.ndarray],
    vs: Sequence[np.ndarray],
    t: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    scale: float,
) -> None:
    """One step t = 1, 2, ... of AdamW on each array theta; theta, m and v are changed in place.

        g     <- scale g                                   (scale < 1 clips the global norm)
        m     <- beta1 m + (1 - beta1) g                   running mean of the gradient
        v     <- beta2 v + (1 - beta2) g^2                 running mean of its square
        theta <- theta - lr (mhat / (sqrt(vhat) + eps) + weight_decay theta)

    with mhat = m / (1 - beta1^t) and vhat = v / (1 - beta2^t), which undo the start at zero.
    g, m and v have the shape of theta. g is left as it is.
    """
    for theta, g, m, v in zip(thetas, gs, ms, vs, strict=True):
        g = scale * g
        m *= beta1
        m += (1 - beta1) * g
        v *= beta2
        v += (1 - beta2) * g * g
        denominator = np.sqrt(v / (1 - beta2**t)) + eps
        theta *= 1 - lr * weight_decay
        theta -= lr / (1 - beta1**t) * m / denominator
