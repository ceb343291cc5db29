"""Sequences of different lengths through an encoder without padding, when nothing is to be learned from them.

Their tokens stand one behind the other, N in all, sorted by length. Everything but attention works on each token by
itself and never sees where a sequence ends. Attention sees it: sequences of the same length, a *run*, are
neighbours, so that their rows are a batch (B, T, D) without padding.
"""

import math
from typing import NamedTuple

import numpy as np

from minibert.blocks.attention import merge_heads, split_heads
from minibert.blocks.feed_forward import feed_forward
from minibert.blocks.projection import projection
from minibert.blocks.stack import LayerSettings
from minibert.ops import add_norm, attention
from minibert.tree import Tree


class Run(NamedTuple):
    """B sequences of T tokens each, one behind the other."""

    rows: slice  # of the N packed tokens: B T of them
    B: int
    T: int

    def batch(self, x: np.ndarray) -> np.ndarray:
        """x (N, D)  ->  the rows of this run (B, T, D), a view."""
        return x[self.rows].reshape(self.B, self.T, x.shape[1])


def runs_of(lengths: np.ndarray) -> list[Run]:
    """Return the runs of packed sequences with these lengths, which must not descend."""
    values, counts = np.unique(lengths, return_counts=True)
    ends = np.cumsum(values * counts).tolist()
    return [
        Run(slice(end - B * T, end), B, T) for end, B, T in zip(ends, counts.tolist(), values.tolist(), strict=True)
    ]


def packed_encoder(x: np.ndarray, p: Tree, settings: LayerSettings, runs: list[Run]) -> np.ndarray:
    """x (N, D), p {layers}  ->  the last hidden state (N, D), without dropout. No cache is kept."""
    for p_layer in p["layers"].values():
        x = packed_encoder_layer(x, p_layer, settings, runs)
    return x


def packed_encoder_layer(x: np.ndarray, p: Tree, settings: LayerSettings, runs: list[Run]) -> np.ndarray:
    """h = LayerNorm(x + MultiHead(x)),  y = LayerNorm(h + FFN(h)): `encoder_layer` of packed sequences.

    x (N, D), p the parameters of one layer  ->  y (N, D).
    """
    a = packed_self_attention(x, p["attention"], settings.heads, runs)
    h, _ = add_norm(a, x, **p["attention_norm"], eps=settings.eps, rate=0.0, key=None)
    f, _ = feed_forward(h, p["feed_forward"], settings.activation)
    y, _ = add_norm(f, h, **p["feed_forward_norm"], eps=settings.eps, rate=0.0, key=None)
    return y


def packed_self_attention(x: np.ndarray, p: Tree, heads: int, runs: list[Run]) -> np.ndarray:
    """MultiHead(X) of each packed sequence: see `self_attention`.

    x (N, D), p {qkv, output}  ->  y (N, D).
    """
    qkv, _ = projection(x, p["qkv"])  # (N, 3D)
    merged = np.empty_like(x)  # (N, D)
    for run in runs:
        q, k, v = split_heads(run.batch(qkv), heads)  # (B, H, T, K) each
        out, _ = attention(q, k, v, None, 1 / math.sqrt(q.shape[-1]))  # (B, H, T, K)
        run.batch(merged)[...] = merge_heads(out)  # (B, T, D)
    y, _ = projection(merged, p["output"])  # (N, D)
    return y
