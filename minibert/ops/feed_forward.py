"""The position-wise feed-forward network (Vaswani et al. 2017, section 3.3)."""

from typing import NamedTuple

import numpy as np

from minibert.dispatch import op
from minibert.ops.linear import LinearCache, linear, linear_backward
from minibert.ops.linear_gelu import LinearGeluCache, linear_gelu, linear_gelu_backward


class FeedForwardCache(NamedTuple):
    up: LinearGeluCache
    down: LinearCache


@op
def feed_forward(
    x: np.ndarray, w_1: np.ndarray, b_1: np.ndarray, w_2: np.ndarray, b_2: np.ndarray, tanh_form: bool
) -> tuple[np.ndarray, FeedForwardCache]:
    """FFN(x) = gelu(x W_1 + b_1) W_2 + b_2, at each position alike.

    x (..., D), w_1 (D, F), b_1 (F,), w_2 (F, D), b_2 (D,)  ->  y (..., D), cache. The paper has
    ReLU in the place of GELU, which BERT and GPT take; `tanh_form` chooses its tanh form.
    """
    h, up = linear_gelu(x, w_1, b_1, tanh_form)  # (..., F)
    y, down = linear(h, w_2, b_2)  # (..., D)
    return y, FeedForwardCache(up, down)


@op
def feed_forward_backward(
    dy: np.ndarray, cache: FeedForwardCache
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """dy (..., D)  ->  dx (..., D), dw_1 (D, F), db_1 (F,), dw_2 (F, D), db_2 (D,)."""
    dh, dw_2, db_2 = linear_backward(dy, cache.down)  # (..., F)
    dx, dw_1, db_1 = linear_gelu_backward(dh, cache.up)  # (..., D)
    return dx, dw_1, db_1, dw_2, db_2
