"""Shapes and dtypes of arguments. Compiled loops do not check what they index: what is not refused here is memory read
or written beyond an array's end.
"""

from collections.abc import Sequence

import numpy as np


def check_shape(name: str, x: np.ndarray, shape: tuple[int, ...]) -> None:
    """Raise `ValueError` if x has another shape than it must have."""
    if x.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}, but has {x.shape}")


def check_like(name: str, x: np.ndarray, other: np.ndarray) -> None:
    """Raise `ValueError` or `TypeError` if x differs from another array in shape or dtype."""
    check_shape(name, x, other.shape)
    if x.dtype != other.dtype:
        raise TypeError(f"{name} must be {other.dtype}, but is {x.dtype}")


def check_one_dtype(name: str, arrays: Sequence[np.ndarray]) -> None:
    """Raise `TypeError` if the arrays do not all have one dtype."""
    found = {x.dtype for x in arrays}
    if len(found) > 1:
        raise TypeError(f"{name} must have one dtype, but have {', '.join(sorted(map(str, found)))}")
