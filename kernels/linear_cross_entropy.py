"""Twin of minibert.ops.linear_cross_entropy: a chunk of the vocabulary at a time, the logits are never whole.

Of N targets and V words the logits are an (N, V) array, the largest of a training step by far, and its probabilities
and gradient are as large again. Here a chunk (N, VOCABULARY) is made in a buffer, used, and overwritten by the
next. Backward makes the logits again, chunk by chunk: one product more, instead of three large arrays less.
"""

from typing import NamedTuple

import numpy as np
from minibert.kernels.compile import kernel
from minibert.kernels.cross_entropy import checked_labels, extend
from minibert.kernels.matmul import matmul
from minibert.kernels.vector_math import exp
from numba import prange

from minibert.ops.cross_entropy import IGNORE_INDEX

VOCABULARY = 2048  # words a chunk: 300 targets make 2.4 MB of float32, which a last-level cache holds


class LinearCrossEntropyCache(NamedTuple):
    x: np.ndarray  # (N, D)
    weight: np.ndarray  # (D, V)
    bias: np.ndarray  # (V,)
    labels: np.ndarray  # (N,)
    maximum: np.ndarray  # (N,) the largest logit
    total: np.ndarray  # (N,) sum over v of e**(logit - maximum)
    count: int
    predictions: np.ndarray  # (N,) the class with the largest logit


def linear_cross_entropy(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, labels: np.ndarray, count: int | None = None
) -> tuple[np.floating, LinearCrossEntropyCache]:
    """L = cross_entropy(x W + b, labels), and the predicted classes."""
    labels = checked_labels(labels, weight.shape[1])  # (N,)
    if count is None:
        count = max(1, np.count_nonzero(labels != IGNORE_INDEX))
    N, dtype = len(x), x.dtype
    maximum, total, target = np.full(N, -np.inf, dtype), np.zeros(N, dtype), np.zeros(N, dtype)
    predictions = np.zeros(N, np.int64)
    for first, logits in _chunks(x, weight, bias):
        _read(dtype)(first, logits, labels, maximum, total, target, predictions)
    losses = np.where(labels == IGNORE_INDEX, 0, np.log(total) - (target - maximum))  # (N,)
    cache = LinearCrossEntropyCache(x, weight, bias, labels, maximum, total, count, predictions)
    return losses.sum(dtype=dtype) / dtype.type(count), cache


def linear_cross_entropy_backward(
    dloss: float, cache: LinearCrossEntropyCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dloss (scalar)  ->  dx (N, D), dweight (D, V), dbias (V,)."""
    x, weight, bias, labels, maximum, total, count, _ = cache
    dx, dbias = np.zeros(x.shape, x.dtype), np.empty(bias.shape, bias.dtype)
    dtable = np.empty(weight.shape[::-1], weight.dtype)  # (V, D): a tied weight is the transpose of a table
    for first, logits in _chunks(x, weight, bias):
        chunk = slice(first, first + logits.shape[1])
        _to_gradient(x.dtype)(first, logits, labels, maximum, total, float(dloss / count), dbias[chunk])
        matmul(logits.T, x, out=dtable[chunk])  # (VOCABULARY, D)
        matmul(logits, weight[:, chunk].T, out=dx, add=True)  # (N, D)
    return dx, dtable.T, dbias


def _chunks(x: np.ndarray, weight: np.ndarray, bias: np.ndarray):
    """Yield (first word, logits of a chunk of words (N, up to VOCABULARY)), always in the same memory."""
    N, V = len(x), weight.shape[1]
    buffer = np.empty(N * min(V, VOCABULARY), x.dtype)
    for first in range(0, V, VOCABULARY):
        chunk = slice(first, min(V, first + VOCABULARY))
        logits = buffer[: N * (chunk.stop - first)].reshape(N, chunk.stop - first)
        yield first, matmul(x, weight[:, chunk], out=logits, bias=bias[chunk])


@kernel("i r2 i1 w1 w1 w1 o1")
def _read(first, logits, labels, maximum, total, target, predictions):
    """Add a chunk of logits to the running maximum and total of each row; note the target's and the largest logit."""
    N, C = logits.shape
    for n in prange(N):
        z, before = logits[n], maximum[n]
        maximum[n], total[n] = extend(z, before, total[n])
        if maximum[n] > before:  # the largest so far is in this chunk: look where
            for j in range(C):
                if z[j] == maximum[n]:
                    predictions[n] = first + j
                    break
        if first <= labels[n] < first + C:
            target[n] = z[labels[n] - first]


@kernel("i w2 i1 r1 r1 f w1")
def _to_gradient(first, logits, labels, maximum, total, factor, dbias):
    """logits -> (p - onehot) factor, in place; dbias receives the sum over the rows, in their order."""
    N, C = logits.shape
    dtype = logits.dtype.type
    factor = dtype(factor)
    for n in prange(N):
        z = logits[n]
        if labels[n] == -100:
            for j in range(C):
                z[j] = dtype(0)
        else:
            scale, largest = factor / total[n], maximum[n]
            for j in range(C):
                z[j] = exp(z[j] - largest) * scale
            if first <= labels[n] < first + C:
                z[labels[n] - first] -= factor
    dbias[:] = dtype(0)
    for n in range(N):
        for j in range(C):
            dbias[j] += logits[n, j]
