"""Numba twins of the ops: same names, same signatures, same meaning. Installed as `minibert.kernels`.

Where an op has no twin yet, the reference runs.
"""

from minibert.kernels.activations import gelu, gelu_backward, gelu_tanh, gelu_tanh_backward, tanh, tanh_backward
from minibert.kernels.adamw import adamw, square_sum
from minibert.kernels.add_norm import add_norm, add_norm_backward
from minibert.kernels.attention import attention, attention_backward
from minibert.kernels.cross_entropy import cross_entropy, cross_entropy_backward
from minibert.kernels.dropout import dropout, dropout_backward
from minibert.kernels.embedding import embedding, embedding_backward
from minibert.kernels.feed_forward import feed_forward, feed_forward_backward
from minibert.kernels.linear import linear, linear_backward
from minibert.kernels.linear_cross_entropy import linear_cross_entropy, linear_cross_entropy_backward
from minibert.kernels.linear_gelu import linear_gelu, linear_gelu_backward
from minibert.kernels.norm import layer_norm, layer_norm_backward
from minibert.kernels.soft_threshold import soft_threshold

from minibert.allocator import keep_freed_memory

__all__ = [
    "adamw",
    "add_norm",
    "add_norm_backward",
    "attention",
    "attention_backward",
    "cross_entropy",
    "cross_entropy_backward",
    "dropout",
    "dropout_backward",
    "embedding",
    "embedding_backward",
    "feed_forward",
    "feed_forward_backward",
    "gelu",
    "gelu_backward",
    "gelu_tanh",
    "gelu_tanh_backward",
    "layer_norm",
    "layer_norm_backward",
    "linear",
    "linear_backward",
    "linear_cross_entropy",
    "linear_cross_entropy_backward",
    "linear_gelu",
    "linear_gelu_backward",
    "soft_threshold",
    "square_sum",
    "tanh",
    "tanh_backward",
]

keep_freed_memory()
