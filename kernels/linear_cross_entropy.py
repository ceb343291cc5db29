"""Twin of minibert.ops.linear_cross_entropy: the logits wait in memory that is needed later anyway.

Of N targets and V words the logits are an (N, V) array, the largest of a training step by far, and its probabilities
and gradient are as large again. Here one chunk of the vocabulary is looked at after the other. Forward needs only the
running maximum and total of each row; backward needs the logits themselves. To make them anew is a fourth product
beside the three that there must be, so forward keeps them. Where? Backward will return dtable (V, D), the gradient of
the weight, and that array has room for the logits of D targets. From the first word to the last, backward takes the
logits of a chunk, makes their gradient in a small buffer, and writes the chunk's rows of dtable where logits have been
that it is done with:

    memory     | dtable so far | free | logits of the chunks to come |
               0         first D                                    V D

What this costs: dtable's memory is taken in forward already. If there are more targets than D, up to SPARE bytes more
are taken until backward for logits of others, and logits that find no place there either are made anew after all.

Liger Kernel (Hsu et al. 2024, arXiv:2410.10989) needs three products as well: it takes some targets at a time, with
all their words, and makes the gradients in forward. But then the table and dtable (of bert-mini 31 MB each) go through
the processor once for each group of targets: tried with 64 targets a group, it saved less than half as much time.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from minibert.kernels.compile import kernel, tasks
from minibert.kernels.cross_entropy import checked_labels, extend
from minibert.kernels.matmul import matmul
from minibert.kernels.vector_math import exp
from numba import prange

from minibert.dispatch import grad_enabled
from minibert.frozen import is_frozen
from minibert.ops.cross_entropy import IGNORE_INDEX

VOCABULARY = 768  # words a chunk: 300 targets make 0.9 MB of float32
SPARE = 6_600_000  # bytes for logits that dtable has no room for: of BERT's 30,522 words 54 targets in float32
ROWS = 16  # whose gradients a task makes, and sums up for the bias


class Waiting(NamedTuple):
    """The logits of K targets, chunk behind chunk."""

    memory: np.ndarray  # (V, K), or more columns
    K: int

    def chunk(self, words: slice) -> np.ndarray:
        """Logits (K, words), in the memory of these words."""
        size = words.stop - words.start
        return self.memory[words].reshape(-1)[: self.K * size].reshape(self.K, size)


class LinearCrossEntropyCache(NamedTuple):
    x: np.ndarray  # (N, D)
    weight: np.ndarray  # (D, V)
    bias: np.ndarray  # (V,)
    labels: np.ndarray  # (N,)
    maximum: np.ndarray  # (N,) the largest logit
    total: np.ndarray  # (N,) sum over v of e**(logit - maximum)
    count: int
    predictions: np.ndarray  # (N,) the class with the largest logit
    waiting: list[Waiting]  # what `_rooms` returned; nothing after backward, which uses it up, or under `no_grad`


def linear_cross_entropy(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, labels: np.ndarray, count: int | None = None
) -> tuple[np.floating, LinearCrossEntropyCache]:
    """L = cross_entropy(x W + b, labels), and the predicted classes. Under `no_grad` no logits are kept."""
    N, V, dtype = len(x), weight.shape[1], x.dtype
    labels = checked_labels(labels, N, V)  # (N,)
    if count is None:
        count = max(1, np.count_nonzero(labels != IGNORE_INDEX))
    waiting = _rooms(N, weight) if grad_enabled() else []
    maximum, best = np.full((2, N), -np.inf, dtype)
    total, target = np.zeros((2, N), dtype)
    predictions = np.zeros(N, np.int64)
    for words, buffer in _chunks(N - sum(room.K for room in waiting), V, dtype):
        end = 0
        for z in [*(room.chunk(words) for room in waiting), buffer]:  # the first targets, the next, the rest
            rows = slice(end, end := end + len(z))
            if len(z):
                matmul(x[rows], weight[:, words], out=z, bias=bias[words])  # (rows, VOCABULARY)
                of_rows = (a[rows] for a in (labels, maximum, total, target, best, predictions))
                _read(dtype)(words.start, z, *of_rows)
    with np.errstate(all="ignore"):  # a row of infinities or NaN comes out as NaN
        losses = np.where(labels == IGNORE_INDEX, 0, np.log(total) - (target - maximum))  # (N,)
    cache = LinearCrossEntropyCache(x, weight, bias, labels, maximum, total, count, predictions, waiting)
    return losses.sum(dtype=dtype) / dtype.type(count), cache


def linear_cross_entropy_backward(
    dloss: float, cache: LinearCrossEntropyCache
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """dloss (scalar)  ->  dx (N, D), dweight (D, V), dbias (V,). A second call for the same cache takes longer."""
    x, weight, bias, labels, maximum, total, count, _, waiting = cache
    N, V, dtype = len(x), weight.shape[1], x.dtype
    first, second = waiting or _rooms(0, weight)
    waiting.clear()
    dtable, K, end = first.memory, first.K, first.K + second.K  # (V, D): a tied weight is the transpose of a table
    dx, dbias = np.zeros(x.shape, dtype), np.empty(V, dtype)
    for words, z in _chunks(N, V, dtype):
        z[K:end] = second.chunk(words)
        if end < N:
            matmul(x[end:], weight[:, words], out=z[end:], bias=bias[words])  # (N - end, VOCABULARY)
        sums = np.zeros((tasks(N, ROWS), z.shape[1]), dtype)
        _to_gradient(dtype)(words.start, first.chunk(words), z, labels, maximum, total, float(dloss / count), sums)
        dbias[words] = sums.sum(0)  # (VOCABULARY,)
        if not is_frozen(weight):
            matmul(z.T, x, out=dtable[words])  # (VOCABULARY, D)
        matmul(z, weight[:, words].T, out=dx, add=True)  # (N, D)
    return dx, None if is_frozen(weight) else dtable.T, None if is_frozen(bias) else dbias


def _rooms(N: int, weight: np.ndarray) -> list[Waiting]:
    """Memory for dtable, which has room for the logits of D of N targets, and memory for those of others."""
    D, V = weight.shape
    K = min(N, D)
    others = min(N - K, SPARE // (max(V, 1) * weight.itemsize))
    return [Waiting(np.empty((V, D), weight.dtype), K), Waiting(np.empty((V, others), weight.dtype), others)]


def _chunks(N: int, V: int, dtype: np.dtype) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield chunks of words with a buffer (N, words), always in the same memory."""
    memory = np.empty(N * min(V, VOCABULARY), dtype)
    for first in range(0, V, VOCABULARY):
        size = min(VOCABULARY, V - first)
        yield slice(first, first + size), memory[: N * size].reshape(N, size)


@kernel("i r2 i1 w1 w1 w1 w1 o1")
def _read(first, logits, labels, maximum, total, target, best, predictions):
    """Add a chunk of logits to the running maximum and total of each row; note the target's and the best logit.

    `best` is the maximum, but as numpy.argmax sees it: the first NaN is the largest.
    """
    N, C = logits.shape
    for n in prange(N):
        z = logits[n]
        maximum[n], total[n] = extend(z, maximum[n], total[n])
        if maximum[n] > best[n] or total[n] != total[n]:  # the best so far may be in this chunk: look where
            for j in range(C):
                if not z[j] <= best[n] and best[n] == best[n]:
                    best[n], predictions[n] = z[j], first + j
        if first <= labels[n] < first + C:
            target[n] = z[labels[n] - first]


@kernel("i r2 w2 i1 r1 r1 f w2")
def _to_gradient(first, waiting, z, labels, maximum, total, factor, sums):
    """Gradient of a chunk's logits, z (N, C) = (p - onehot) factor, and its sums over each task's rows.

    The logits are in `waiting` (K, C), those of the last N - K rows in z.
    """
    N, C = z.shape
    dtype = z.dtype.type
    factor = dtype(factor)
    for task in prange(len(sums)):
        for n in range(task * ROWS, min(N, (task + 1) * ROWS)):
            logits, dz, scale, largest = waiting[n] if n < len(waiting) else z[n], z[n], factor / total[n], maximum[n]
            if labels[n] == IGNORE_INDEX:
                dz[:] = dtype(0)
            else:
                for j in range(C):
                    dz[j] = exp(logits[j] - largest) * scale
                if first <= labels[n] < first + C:
                    dz[labels[n] - first] -= factor
            for j in range(C):
                sums[task, j] += dz[j]
