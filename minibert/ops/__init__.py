"""The mathematics, one idea a file: formula, forward, derivation, backward.

An op and its backward are a pure pair: `y, cache = op(x, ...)` and `grads = op_backward(dy, cache)`,
gradients in the order of the arguments. A cache is a small NamedTuple that can be printed.
"""

from minibert.ops.activations import gelu, gelu_backward, gelu_tanh, gelu_tanh_backward, tanh, tanh_backward
from minibert.ops.adamw import adamw, square_sum
from minibert.ops.add_norm import add_norm, add_norm_backward
from minibert.ops.attention import attention, attention_backward
from minibert.ops.binary_cross_entropy import binary_cross_entropy, binary_cross_entropy_backward
from minibert.ops.cross_entropy import IGNORE_INDEX, cross_entropy, cross_entropy_backward
from minibert.ops.dropout import dropout, dropout_backward, dropout_key, fold_in
from minibert.ops.embedding import embedding, embedding_backward
from minibert.ops.feed_forward import feed_forward, feed_forward_backward
from minibert.ops.l2_normalise import l2_normalise, l2_normalise_backward
from minibert.ops.linear import linear, linear_backward
from minibert.ops.linear_cross_entropy import linear_cross_entropy, linear_cross_entropy_backward
from minibert.ops.linear_gelu import linear_gelu, linear_gelu_backward
from minibert.ops.low_rank import low_rank, low_rank_backward
from minibert.ops.mean_squared_error import mean_squared_error, mean_squared_error_backward
from minibert.ops.norm import layer_norm, layer_norm_backward
from minibert.ops.pooling import mean_pooling, mean_pooling_backward
from minibert.ops.smoothed_cross_entropy import smoothed_cross_entropy, smoothed_cross_entropy_backward
from minibert.ops.soft_threshold import soft_threshold

__all__ = [
    "IGNORE_INDEX",
    "adamw",
    "add_norm",
    "add_norm_backward",
    "attention",
    "attention_backward",
    "binary_cross_entropy",
    "binary_cross_entropy_backward",
    "cross_entropy",
    "cross_entropy_backward",
    "dropout",
    "dropout_backward",
    "dropout_key",
    "embedding",
    "embedding_backward",
    "feed_forward",
    "feed_forward_backward",
    "fold_in",
    "gelu",
    "gelu_backward",
    "gelu_tanh",
    "gelu_tanh_backward",
    "l2_normalise",
    "l2_normalise_backward",
    "layer_norm",
    "layer_norm_backward",
    "linear",
    "linear_backward",
    "linear_cross_entropy",
    "linear_cross_entropy_backward",
    "linear_gelu",
    "linear_gelu_backward",
    "low_rank",
    "low_rank_backward",
    "mean_pooling",
    "mean_pooling_backward",
    "mean_squared_error",
    "mean_squared_error_backward",
    "smoothed_cross_entropy",
    "smoothed_cross_entropy_backward",
    "soft_threshold",
    "square_sum",
    "tanh",
    "tanh_backward",
]
