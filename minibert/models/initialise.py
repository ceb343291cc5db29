"""Initial parameters as the released codes draw them.

Weights and tables come from a normal distribution with standard deviation `initializer_range`, which
BERT's code cuts at two standard deviations; biases are 0, normalisation starts as the identity. Where a file is
to bring the numbers there is no generator, and only shapes are made.
"""

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minibert.tree import Tree


def blank(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return zeros that share one place in memory: a shape to compare with, for a file to fill."""
    return as_strided(np.zeros(1, dtype), shape, (0,) * len(shape))


def truncated_normal(
    shape: tuple[int, ...], std: float, rng: np.random.Generator | None, dtype: np.dtype
) -> np.ndarray:
    """Draw from a normal distribution; what falls beyond two standard deviations is drawn again."""
    if rng is None:
        return blank(shape, dtype)
    z = rng.standard_normal(shape)
    while (far := np.abs(z) > 2).any():
        z[far] = rng.standard_normal(far.sum())
    return (std * z).astype(dtype)


def normal(shape: tuple[int, ...], std: float, rng: np.random.Generator | None, dtype: np.dtype) -> np.ndarray:
    """Draw from a normal distribution."""
    if rng is None:
        return blank(shape, dtype)
    return (std * rng.standard_normal(shape)).astype(dtype)


def linear_params(
    n_in: int,
    n_out: int,
    std: float,
    rng: np.random.Generator | None,
    dtype: np.dtype,
    draw: Callable = truncated_normal,
) -> Tree:
    """weight (n_in, n_out), bias (n_out,)."""
    return {"weight": draw((n_in, n_out), std, rng, dtype), "bias": np.zeros(n_out, dtype)}


def embedding_table(
    rows: int,
    width: int,
    std: float,
    rng: np.random.Generator | None,
    dtype: np.dtype,
    draw: Callable = truncated_normal,
) -> np.ndarray:
    """(rows, width)."""
    return draw((rows, width), std, rng, dtype)


def norm_params(width: int, dtype: np.dtype) -> Tree:
    """gamma (width,) of ones, beta (width,) of zeros."""
    return {"gamma": np.ones(width, dtype), "beta": np.zeros(width, dtype)}
