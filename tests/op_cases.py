"""Arguments for every op that has a backward pass: what the gradient checks and the kernels' parity tests share.

float64, pairwise distinct odd sizes.
"""

import numpy as np


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def half_masked(*shape):
    mask = np.random.default_rng(3).random(shape) < 0.7
    mask[..., 1, :] = False  # a query that sees nothing
    return mask


LABELS = np.array([4, -100, 0, 8, -100])
YES_NO = (normal(5, 9, seed=1) > 0).astype(int)
QKV = normal(3, 2, 5, 7), normal(3, 2, 9, 7), normal(3, 2, 9, 7, seed=1)  # B 3, H 2, T 5, S 9, K 7

CASES = {
    "linear": [(normal(3, 5, 7), normal(7, 9), normal(9)), (normal(3, 5, 7), normal(7, 9), None)],
    "embedding": [(np.array([[3, 0, 3], [3, 6, 0]]), normal(7, 5))],
    "gelu": [(3 * normal(5, 7),)],
    "gelu_tanh": [(3 * normal(5, 7),)],
    "tanh": [(normal(5, 7),)],
    "mean_pooling": [(normal(3, 5, 7), None), (normal(3, 5, 7), half_masked(1, 3, 5)[0])],
    "l2_normalise": [(normal(3, 5, 7), 1e-12), (np.vstack([normal(2, 7), 0.01 * normal(3, 7)]), 0.1)],
    "layer_norm": [(normal(3, 5, 7), normal(7), normal(7, seed=1), 1e-3)],
    "dropout": [(normal(5, 7), 0.4, 11), (normal(5, 7), 0.4, None)],
    "add_norm": [(normal(3, 5, 7), normal(3, 5, 7, seed=1), normal(7), normal(7, seed=1), 1e-3, 0.4, 11)],
    "attention": [
        (*QKV, None, 0.4),
        (*QKV, None, 0.4, False, 0.3, 11),
        (*QKV, None, 0.4, True, 0.3, 11),
        (*QKV, normal(1, 2, 5, 9), 0.4, True),
        (*QKV, half_masked(3, 1, 5, 9), 0.4, False, 0.3, 11),
        (*QKV, normal(3, 2, 5, 9), 0.4),
        (*QKV, normal(1, 2, 5, 9), 0.4),
        (*QKV, normal(3, 1, 1, 9), 0.4),
        (*QKV, normal(5, 9), 0.4),
    ],
    "linear_gelu": [(normal(3, 5, 7), normal(7, 9), normal(9), form) for form in (False, True)],
    "feed_forward": [
        (normal(3, 5, 7), normal(7, 9), normal(9), normal(9, 7), normal(7), form) for form in (False, True)
    ],
    "low_rank": [
        (normal(3, 5, 7), normal(7, 3), normal(3, 9), 0.7, 0.4, 11),
        (normal(3, 5, 7), normal(7, 3), normal(3, 9), 0.7, 0.4, None),
    ],
    "cross_entropy": [(normal(5, 9), LABELS), (normal(5, 9), LABELS, 11), (normal(1, 5, 9), LABELS[None])],
    "smoothed_cross_entropy": [
        (normal(5, 9), LABELS, 0.1),
        (normal(5, 9), LABELS, 0.3, 11),
        (normal(1, 5, 9), LABELS[None], 0.1),
    ],
    "binary_cross_entropy": [(3 * normal(5, 9), YES_NO), (3 * normal(5, 9), YES_NO, 11)],
    "mean_squared_error": [(normal(5, 9), YES_NO), (normal(5, 9), YES_NO, 11)],
    "linear_cross_entropy": [(normal(5, 7), normal(7, 9), normal(9), LABELS)],
}
