"""Elementwise non-linearities: GELU in its two forms, and tanh.

GELU (Hendrycks & Gimpel 2016, arXiv:1606.08415) weighs its input by the probability that a
standard normal variable lies below it: gelu(x) = x * Phi(x).
"""

import math
from typing import NamedTuple

import numpy as np

from minibert.dispatch import op

SQRT_HALF = math.sqrt(0.5)
SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
INV_SQRT_2PI = 1 / math.sqrt(2 * math.pi)


class GeluCache(NamedTuple):
    x: np.ndarray  # (...)
    cdf: np.ndarray  # (...) Phi(x)


class GeluTanhCache(NamedTuple):
    x: np.ndarray  # (...)
    t: np.ndarray  # (...) tanh(u(x))


class TanhCache(NamedTuple):
    y: np.ndarray  # (...)


@op
def gelu(x: np.ndarray) -> tuple[np.ndarray, GeluCache]:
    """gelu(x) = x Phi(x),  Phi(x) = (1 + erf(x / sqrt(2))) / 2, elementwise.

    x (...)  ->  y (...), cache. The exact form: `hidden_act` "gelu" in checkpoints.
    """
    from scipy.special import erf  # slow to import, and only this op needs it

    cdf = 0.5 * (1 + erf(x * SQRT_HALF))
    return x * cdf, GeluCache(x, cdf)


@op
def gelu_backward(dy: np.ndarray, cache: GeluCache) -> np.ndarray:
    """dy (...)  ->  dx (...).

    By the product rule, with the normal density phi = Phi' :

        d/dx (x Phi(x)) = Phi(x) + x phi(x),  phi(x) = exp(-x^2 / 2) / sqrt(2 pi)
    """
    x, cdf = cache
    pdf = INV_SQRT_2PI * np.exp(-0.5 * x * x)
    return dy * (cdf + x * pdf)


@op
def gelu_tanh(x: np.ndarray) -> tuple[np.ndarray, GeluTanhCache]:
    """gelu_tanh(x) = x (1 + tanh(u)) / 2,  u = sqrt(2 / pi) (x + 0.044715 x^3), elementwise.

    x (...)  ->  y (...), cache. The approximation that GPT-2 and Google's BERT code use:
    `hidden_act` "gelu_new" in checkpoints. It differs from `gelu` by less than 5e-4.
    """
    t = np.tanh(SQRT_2_OVER_PI * (x + 0.044715 * x * x * x))
    return 0.5 * x * (1 + t), GeluTanhCache(x, t)


@op
def gelu_tanh_backward(dy: np.ndarray, cache: GeluTanhCache) -> np.ndarray:
    """dy (...)  ->  dx (...).

    By the product and the chain rule, with t = tanh(u) and tanh' = 1 - t^2 :

        d/dx (x (1 + t) / 2) = (1 + t) / 2 + x (1 - t^2) u' / 2,  u' = sqrt(2 / pi) (1 + 3 * 0.044715 x^2)
    """
    x, t = cache
    square = np.minimum(x * x, 400)  # beyond |x| = 20, 1 - t^2 is 0, and 0 * inf would not be
    du = SQRT_2_OVER_PI * (1 + 3 * 0.044715 * square)
    return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * du)


@op
def tanh(x: np.ndarray) -> tuple[np.ndarray, TanhCache]:
    """y = tanh(x), elementwise.  x (...)  ->  y (...), cache."""
    y = np.tanh(x)
    return y, TanhCache(y)


@op
def tanh_backward(dy: np.ndarray, cache: TanhCache) -> np.ndarray:
    """dy (...)  ->  dx (...).  tanh'(x) = 1 - tanh(x)^2, so the output is all that is needed."""
    return dy * (1 - cache.y * cache.y)
