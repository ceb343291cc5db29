"""What does not fit is refused: a compiled loop would read or write beyond the end of an array."""

import numpy as np
import pytest

from minibert import kernels


def ones(*shape, dtype=np.float32):
    return np.ones(shape, dtype)


def adamw(theta, g, m, v):
    kernels.adamw([theta], [g], [m], [v], 1, 0.1, 0.9, 0.999, 1e-8, 0.0, 1.0)


X, GAMMA = ones(3, 8), ones(8)
WRONG = {
    "adamw, short moments": lambda: adamw(ones(9), ones(9), ones(3), ones(3)),
    "adamw, short gradient": lambda: adamw(ones(9), ones(3), ones(9), ones(9)),
    "layer_norm, gamma": lambda: kernels.layer_norm(X, ones(5), GAMMA, 1e-5),
    "layer_norm, beta": lambda: kernels.layer_norm(X, GAMMA, ones(1), 1e-5),
    "layer_norm_backward": lambda: kernels.layer_norm_backward(ones(400, 8), kernels.layer_norm(X, GAMMA, GAMMA, 1)[1]),
    "add_norm, residual": lambda: kernels.add_norm(X, ones(2, 8), GAMMA, GAMMA, 1e-5, 0.0, None),
    "gelu_backward": lambda: kernels.gelu_backward(ones(30, 7), kernels.gelu(X)[1]),
    "tanh_backward": lambda: kernels.tanh_backward(ones(30, 7), kernels.tanh(X)[1]),
    "cross_entropy": lambda: kernels.cross_entropy(X, np.array([0, 1])),
    "linear_cross_entropy": lambda: kernels.linear_cross_entropy(X, ones(8, 5), ones(5), np.array([0, 1])),
    "feed_forward_backward": lambda: kernels.feed_forward_backward(ones(4, 8), feed_forward()),
    "embedding_backward, rows": lambda: kernels.embedding_backward(ones(1, 8), look_up()),
    "embedding_backward, columns": lambda: kernels.embedding_backward(ones(2, 7), look_up()),
    "embedding_backward, into": lambda: kernels.embedding_backward(ones(2, 8), look_up(), ones(4, 2)),
}


def look_up():
    return kernels.embedding(np.array([0, 2]), ones(4, 8))[1]


def feed_forward():
    return kernels.feed_forward(X, ones(8, 5), ones(5), ones(5, 8), GAMMA, False)[1]


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG)
def test_shapes(call):
    with pytest.raises(ValueError, match="must have the shape"):
        call()


def test_dtypes():
    both = [ones(3), ones(3, dtype=np.float64)]
    with pytest.raises(TypeError, match="one dtype"):
        kernels.square_sum(both)
    with pytest.raises(TypeError, match="must be float32"):
        adamw(ones(3), ones(3, dtype=np.float64), ones(3), ones(3))
    with pytest.raises(TypeError, match="one dtype"):
        kernels.layer_norm(X, GAMMA.astype(np.float64), GAMMA, 1e-5)
