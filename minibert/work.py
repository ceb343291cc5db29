"""What an op must compute and move, counted from the shapes of its arguments.

Only matrix products count as FLOPs, a multiplication and an addition each: in a Transformer they are nearly all of
the arithmetic. What a backend computes twice to save memory counts once.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minibert.frozen import is_frozen


def product(rows: int, n_in: int, n_out: int) -> int:
    """x W for x (rows, n_in) and W (n_in, n_out)."""
    return 2 * rows * n_in * n_out


def attention_product(B: int, H: int, T: int, S: int, K: int, causal: bool = False) -> int:
    """One product between queries and keys, such as q k^T: every pair of them meets in K numbers.

    In causal order query t sees the keys up to t + S - T: T (S - T) + T (T + 1) / 2 pairs instead of T S.
    """
    pairs = T * (S - T) + T * (T + 1) // 2 if causal else T * S
    return 2 * B * H * pairs * K


def forward_flops(name: str, inputs: dict[str, Any]) -> int:
    """Return what one call of a forward op must compute; `inputs` are its arguments by name."""
    if name == "attention":
        return 2 * _between_queries_and_keys(inputs)  # scores, output
    return sum(product(_rows(inputs), *weight.shape) for weight in _weights(name, inputs))


def backward_flops(name: str, inputs: dict[str, Any]) -> int:
    """Return what the backward of a forward op must compute; `inputs` are those of the forward.

    A product x W has two backward products of its size, dy W^T and x^T dy; the second is not made for a W that
    is Frozen.
    """
    if name == "attention":
        return 4 * _between_queries_and_keys(inputs)  # dv, dprobs, dq, dk
    return sum(
        product(_rows(inputs), *weight.shape) * (1 if is_frozen(weight) else 2) for weight in _weights(name, inputs)
    )


def distinct_bytes(values: Any) -> int:
    """Return the bytes of all arrays in a nest of tuples, lists and dicts; the same memory counts once."""
    return sum({(a.__array_interface__["data"][0], a.nbytes): a.nbytes for a in arrays_in(values)}.values())


def arrays_in(values: Any) -> Iterator[np.ndarray]:
    """Yield every array in a nest of tuples, lists and dicts."""
    if isinstance(values, np.ndarray):
        yield values
    elif isinstance(values, dict):
        yield from arrays_in(list(values.values()))
    elif isinstance(values, (tuple, list)):
        for value in values:
            yield from arrays_in(value)


WEIGHTS = {
    "linear": ("weight",),
    "linear_gelu": ("weight",),
    "linear_cross_entropy": ("weight",),
    "feed_forward": ("w_1", "w_2"),
    "low_rank": ("a", "b"),
}


def _weights(name: str, inputs: dict[str, Any]) -> list[np.ndarray]:
    return [inputs[argument] for argument in WEIGHTS.get(name, ())]


def _rows(inputs: dict[str, Any]) -> int:
    x = inputs["x"]
    return x.size // x.shape[-1]


def _between_queries_and_keys(inputs: dict[str, Any]) -> int:
    B, H, T, K = inputs["q"].shape
    return attention_product(B, H, T, inputs["k"].shape[2], K, inputs.get("causal", False))
