"""The pre-norm layer of GPT-2's decoder (Radford et al. 2019, section 2.3)."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minibert.blocks.attention import SelfAttentionCache, self_attention, self_attention_backward
from minibert.blocks.feed_forward import FeedForwardCache, feed_forward, feed_forward_backward
from minibert.blocks.past import LayerPast
from minibert.blocks.stack import LayerSettings
from minibert.ops import dropout, dropout_backward, fold_in, layer_norm, layer_norm_backward
from minibert.ops.dropout import DropoutCache
from minibert.ops.norm import LayerNormCache
from minibert.tree import Tree


class DecoderLayerCache(NamedTuple):
    attention_norm: LayerNormCache
    attention: SelfAttentionCache
    attention_dropout: DropoutCache
    feed_forward_norm: LayerNormCache
    feed_forward: FeedForwardCache
    feed_forward_dropout: DropoutCache


def decoder_layer(
    x: np.ndarray,
    p: Tree,
    settings: LayerSettings,
    bias: np.ndarray | None,
    key: int | None,
    past: LayerPast | None = None,
) -> tuple[np.ndarray, DecoderLayerCache]:
    """h = x + MultiHead(LayerNorm(x)),  y = h + FFN(LayerNorm(h)).

    x (B, T, D), p the parameters of one layer, bias broadcasting to (B, H, T, S) or None
    ->  y (B, T, D), cache. What a sublayer reads is normalised, what it adds to is not: from the
    last layer to the first, a gradient finds a way of additions only. Dropout as in `encoder_layer`.
    """
    heads, activation, eps, rate, attention_rate, causal = settings
    n, norm_1 = layer_norm(x, **p["attention_norm"], eps=eps)  # (B, T, D)
    a, attention = self_attention(n, p["attention"], heads, bias, attention_rate, fold_in(key, 0), causal, past)
    a, dropout_1 = dropout(a, rate, fold_in(key, 1))
    h = x + a  # (B, T, D)
    n, norm_2 = layer_norm(h, **p["feed_forward_norm"], eps=eps)  # (B, T, D)
    f, ffn = feed_forward(n, p["feed_forward"], activation, fold_in(key, 3))
    f, dropout_2 = dropout(f, rate, fold_in(key, 2))
    return h + f, DecoderLayerCache(norm_1, attention, dropout_1, norm_2, ffn, dropout_2)


def decoder_layer_backward(dy: np.ndarray, cache: DecoderLayerCache) -> tuple[np.ndarray, Tree]:
    """dy (B, T, D)  ->  dx (B, T, D), gradients of p."""
    parts = list(cache)  # backward takes them from the end, and lets go of each: the gradients need the memory
    del cache
    dh, dffn, dffn_norm = _sublayer_backward(dy, feed_forward_backward, parts)
    dx, dattention, dattention_norm = _sublayer_backward(dh, self_attention_backward, parts)
    grads = {
        "attention_norm": dattention_norm,
        "attention": dattention,
        "feed_forward_norm": dffn_norm,
        "feed_forward": dffn,
    }
    return dx, grads


def _sublayer_backward(dy: np.ndarray, backward: Callable, parts: list) -> tuple[np.ndarray, Tree, Tree]:
    """y = x + dropout(F(LayerNorm(x))): dy (B, T, D)  ->  dx (B, T, D), gradients of F's parameters and of the norm's.

    x was used twice, by the normalisation and by the residual connection: the two gradients add up.
    """
    df = dropout_backward(dy, parts.pop())  # (B, T, D)
    dn, dp = backward(df, parts.pop())  # (B, T, D)
    dx, dgamma, dbeta = layer_norm_backward(dn, parts.pop())  # (B, T, D)
    return dy + dx, dp, {"gamma": dgamma, "beta": dbeta}
