"""The post-norm layer of the Transformer encoder (Vaswani et al. 2017, section 3.1; Devlin et al. 2018)."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minibert.blocks.attention import SelfAttentionCache, self_attention, self_attention_backward
from minibert.blocks.feed_forward import FeedForwardCache, feed_forward, feed_forward_backward
from minibert.blocks.past import LayerPast
from minibert.blocks.stack import LayerSettings
from minibert.ops import add_norm, add_norm_backward, fold_in
from minibert.ops.add_norm import AddNormCache
from minibert.tree import Tree


class EncoderLayerCache(NamedTuple):
    attention: SelfAttentionCache
    attention_norm: AddNormCache
    feed_forward: FeedForwardCache
    feed_forward_norm: AddNormCache


def encoder_layer(
    x: np.ndarray,
    p: Tree,
    settings: LayerSettings,
    bias: np.ndarray | None,
    key: int | None,
    past: LayerPast | None = None,
) -> tuple[np.ndarray, EncoderLayerCache]:
    """h = LayerNorm(x + MultiHead(x)),  y = LayerNorm(h + FFN(h)).

    x (B, T, D), p the parameters of one layer, bias broadcasting to (B, H, T, S) or None
    ->  y (B, T, D), cache. With a key, dropout acts on the attention's probabilities and on
    what each sublayer adds; `fold_in(key, i)` derives a key of its own for each of these places.
    If `settings.causal`, this is the layer of GPT (Radford et al. 2018).
    """
    heads, activation, eps, rate, attention_rate, causal = settings
    a, attention = self_attention(x, p["attention"], heads, bias, attention_rate, fold_in(key, 0), causal, past)
    h, attention_norm = add_norm(a, x, **p["attention_norm"], eps=eps, rate=rate, key=fold_in(key, 1))
    f, ffn = feed_forward(h, p["feed_forward"], activation, fold_in(key, 3))
    y, ffn_norm = add_norm(f, h, **p["feed_forward_norm"], eps=eps, rate=rate, key=fold_in(key, 2))
    return y, EncoderLayerCache(attention, attention_norm, ffn, ffn_norm)


def encoder_layer_backward(dy: np.ndarray, cache: EncoderLayerCache) -> tuple[np.ndarray, Tree]:
    """dy (B, T, D)  ->  dx (B, T, D), gradients of p."""
    parts = list(cache)  # backward takes them from the end, and lets go of each: the gradients need the memory
    del cache
    dh, dffn, dffn_norm = _sublayer_backward(dy, feed_forward_backward, parts)
    dx, dattention, dattention_norm = _sublayer_backward(dh, self_attention_backward, parts)
    grads = {
        "attention": dattention,
        "attention_norm": dattention_norm,
        "feed_forward": dffn,
        "feed_forward_norm": dffn_norm,
    }
    return dx, grads


def _sublayer_backward(dy: np.ndarray, backward: Callable, parts: list) -> tuple[np.ndarray, Tree, Tree]:
    """y = LayerNorm(x + F(x)): dy (B, T, D)  ->  dx (B, T, D), gradients of F's parameters and of the norm's.

    x was used twice, by F and by the residual connection: the two gradients add up.
    """
    df, dx, dgamma, dbeta = add_norm_backward(dy, parts.pop())  # (B, T, D) twice
    dx_f, dp = backward(df, parts.pop())  # (B, T, D)
    return dx + dx_f, dp, {"gamma": dgamma, "beta": dbeta}
