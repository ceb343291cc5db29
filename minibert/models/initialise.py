"""Initial parameters as the released codes draw them.

Weights and tables come from a normal distribution with standard deviation `initializer_range`, which
BERT's code cuts at two standard deviations; biases are 0, normalisation starts as the identity.
"""

from collections.abc import Callable

import numpy as np

from minibert.tree import Tree


def truncated_normal(shape: tuple[int, ...], std: float, rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
    """Draw from a normal distribution; what falls beyond two standard deviations is drawn again."""
    z = rng.standard_normal(shape)
    while (far := np.abs(z) > 2).any():
        z[far] = rng.standard_normal(far.sum())
    return (std * z).astype(dtype)


def normal(shape: tuple[int, ...], std: float, rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
    """Draw from a normal distribution."""
    return (std * rng.standard_normal(shape)).astype(dtype)


def linear_params(
    n_in: int, n_out: int, std: float, rng: np.random.Generator, dtype: np.dtype, draw: Callable = truncated_normal
) -> Tree:
    """weight (n_in, n_out), bias (n_out,)."""
    return {"weight": draw((n_in, n_out), std, rng, dtype), "bias": np.zeros(n_out, dtype)}


def embedding_table(
    rows: int, width: int, std: float, rng: np.random.Generator, dtype: np.dtype, draw: Callable = truncated_normal
) -> np.ndarray:
    """(rows, width)."""
    return draw((rows, width), std, rng, dtype)


def norm_params(width: int, dtype: np.dtype) -> Tree:
    """gamma (width,) of ones, beta (width,) of zeros."""
    return {"gamma": np.ones(width, dtype), "beta": np.zeros(width, dtype)}
