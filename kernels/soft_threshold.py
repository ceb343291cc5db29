"""Twin of minibert.ops.soft_threshold: all arrays of a model in one launch, each number read and written once."""

from collections.abc import Sequence

import numpy as np
from minibert.kernels.adamw import addresses, task_list
from minibert.kernels.checks import check_one_dtype
from minibert.kernels.compile import kernel
from minibert.kernels.memory import row
from numba import prange


def soft_threshold(thetas: Sequence[np.ndarray], threshold: float) -> None:
    """theta <- sign(theta) max(|theta| - threshold, 0), for arrays of one dtype, in place."""
    if not thetas:
        return
    dtype = thetas[0].dtype
    check_one_dtype("the parameters", thetas)
    flat = [np.require(theta, dtype, "CW") for theta in thetas]
    tasks = task_list(tuple(theta.size for theta in thetas))
    _soft_threshold(dtype)(flat[0].reshape(-1), addresses(flat), tasks, threshold)
    for theta, written in zip(thetas, flat, strict=True):
        if theta is not written:
            theta[...] = written


@kernel("r1 i1 i2 f")
def _soft_threshold(like, table, tasks, threshold):
    for task in prange(len(tasks)):
        array, first, count = tasks[task]
        theta = row(like.dtype, table[array] + first * like.itemsize, count)
        t = theta.dtype.type(threshold)
        for i in range(count):
            if abs(theta[i]) <= t:
                theta[i] = 0
            elif theta[i] > 0:
                theta[i] -= t
            else:  # a NaN stays one
                theta[i] += t
