"""What stands on top of BERT's encoder (Devlin et al. 2018, section 3.1, and its released code)."""

from typing import NamedTuple

import numpy as np

from minibert.blocks.feed_forward import TANH_FORM
from minibert.ops import (
    layer_norm,
    layer_norm_backward,
    linear,
    linear_backward,
    linear_gelu,
    linear_gelu_backward,
    tanh,
    tanh_backward,
)
from minibert.ops.activations import TanhCache
from minibert.ops.linear import LinearCache
from minibert.ops.linear_gelu import LinearGeluCache
from minibert.ops.norm import LayerNormCache
from minibert.tree import Tree


class PoolerCache(NamedTuple):
    dense: LinearCache
    tanh: TanhCache


class TransformCache(NamedTuple):
    dense: LinearGeluCache
    norm: LayerNormCache


def pooler(first: np.ndarray, p: Tree) -> tuple[np.ndarray, PoolerCache]:
    """pooled = tanh(h_[CLS] W + b): one vector for the whole input.

    first (B, D), the last hidden state at [CLS], p {weight (D, D), bias}  ->  pooled (B, D), cache.
    """
    dense, dense_cache = linear(first, p["weight"], p["bias"])  # (B, D)
    pooled, tanh_cache = tanh(dense)
    return pooled, PoolerCache(dense_cache, tanh_cache)


def pooler_backward(dpooled: np.ndarray, cache: PoolerCache) -> tuple[np.ndarray, Tree]:
    """dpooled (B, D)  ->  dfirst (B, D), gradients of p."""
    dfirst, dweight, dbias = linear_backward(tanh_backward(dpooled, cache.tanh), cache.dense)  # (B, D)
    return dfirst, {"weight": dweight, "bias": dbias}


def transform(h: np.ndarray, p: Tree, activation: str, eps: float) -> tuple[np.ndarray, TransformCache]:
    """t = LayerNorm(act(h W + b)): what the masked-token head does before the tied decoder.

    h (..., D), p {dense: weight (D, D) and bias, norm}  ->  t (..., D), cache.
    """
    a, dense_cache = linear_gelu(h, p["dense"]["weight"], p["dense"]["bias"], TANH_FORM[activation])  # (..., D)
    t, norm_cache = layer_norm(a, **p["norm"], eps=eps)
    return t, TransformCache(dense_cache, norm_cache)


def transform_backward(dt: np.ndarray, cache: TransformCache) -> tuple[np.ndarray, Tree]:
    """dt (..., D)  ->  dh (..., D), gradients of p."""
    da, dgamma, dbeta = layer_norm_backward(dt, cache.norm)
    dh, dweight, dbias = linear_gelu_backward(da, cache.dense)  # (..., D)
    return dh, {"dense": {"weight": dweight, "bias": dbias}, "norm": {"gamma": dgamma, "beta": dbeta}}
