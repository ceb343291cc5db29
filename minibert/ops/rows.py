"""All axes but the last as one: for a sum over positions it does not matter how they are arranged."""

import math

import numpy as np


def as_rows(x: np.ndarray) -> np.ndarray:
    """x (..., D)  ->  (N, D). N is counted, for reshape(-1, D) cannot know it where D is 0."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
