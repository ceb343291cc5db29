"""Twin of minibert.ops.cross_entropy: the probabilities are never stored, only two numbers a row."""

from typing import NamedTuple

import numpy as np
from minibert.kernels.checks import check_shape
from minibert.kernels.compile import as_rows, inline, kernel, part
from minibert.kernels.vector_math import exp
from numba import prange

from minibert.ops.cross_entropy import IGNORE_INDEX

BLOCK = 2048  # logits looked at in one go, twice: 8 KiB of float32 stay in the first-level cache


class CrossEntropyCache(NamedTuple):
    """With these, p_v = e**(z_v - maximum) / total."""

    logits: np.ndarray  # (N, V)
    labels: np.ndarray  # (N,)
    maximum: np.ndarray  # (N,) the largest logit of each row
    total: np.ndarray  # (N,) sum over v of e**(z_v - maximum)
    count: int
    shape: tuple[int, ...]  # of the logits


def cross_entropy(
    logits: np.ndarray, labels: np.ndarray, count: int | None = None
) -> tuple[np.floating, CrossEntropyCache]:
    """L = -(1/count) sum over targets t of log softmax(logits_t)[labels_t]. Strided logits are copied first."""
    rows = as_rows(logits)  # (N, V)
    labels = checked_labels(labels, *rows.shape)  # (N,)
    if count is None:
        count = max(1, np.count_nonzero(labels != IGNORE_INDEX))
    maximum, total, losses = np.empty((3, len(rows)), rows.dtype)
    _forward(rows.dtype)(rows, labels, maximum, total, losses)
    loss = losses.sum() / rows.dtype.type(count)
    return loss, CrossEntropyCache(rows, labels, maximum, total, count, logits.shape)


def cross_entropy_backward(dloss: float, cache: CrossEntropyCache) -> np.ndarray:
    """dloss (scalar)  ->  dlogits (..., V): (p - onehot) dloss / count at targets, zeros elsewhere."""
    logits, labels, maximum, total, count, shape = cache
    dlogits = np.empty_like(logits)
    _backward(logits.dtype)(logits, labels, maximum, total, float(dloss / count), dlogits)
    return dlogits.reshape(shape)


def checked_labels(labels: np.ndarray, N: int, V: int) -> np.ndarray:
    """Return the labels (...) of N rows of V logits as (N,) int64, contiguous.

    Compiled loops do not check what they index, so this does.
    """
    if V == 0:
        raise ValueError("a softmax needs at least one class, but the logits have 0 columns")
    flat = np.ascontiguousarray(labels, np.int64).reshape(-1)
    check_shape("labels", flat, (N,))
    targets = flat[flat != IGNORE_INDEX]
    if targets.size and (targets.min() < 0 or targets.max() >= V):
        wrong = targets.min() if targets.min() < 0 else targets.max()
        raise IndexError(f"labels must be {IGNORE_INDEX} or lie in 0..{V - 1}, but one is {wrong}")
    return flat


@kernel("r2 i1 w1 w1 w1")
def _forward(logits, labels, maximum, total, losses):
    V = logits.shape[1]
    for n in prange(len(logits)):
        z = logits[n]
        running_maximum, running_total = extend(z[:BLOCK], z.dtype.type(-np.inf), z.dtype.type(0))
        for first in range(BLOCK, V, BLOCK):
            running_maximum, running_total = extend(z[first : first + BLOCK], running_maximum, running_total)
        maximum[n], total[n] = running_maximum, running_total
        target = labels[n]
        losses[n] = 0 if target == IGNORE_INDEX else np.log(running_total) - (z[target] - running_maximum)


@inline
def extend(z, maximum, total):
    """Add some more logits z of a row to its running maximum and to total = sum of e**(logit - maximum).

    The sum over the earlier logits is rescaled when the maximum grows, so a row may come in pieces ("online softmax",
    Milakov & Gimelshein 2018). Start with minus infinity and 0.
    """
    dtype = z.dtype.type
    new = largest(z, maximum)
    if new > maximum:
        total *= exp(maximum - new)
    shift = new if new > dtype(-np.inf) else dtype(0)  # only minus infinities so far: each adds nothing
    for j in range(len(z)):
        total += exp(z[j] - shift)
    return new, total


@part(fastmath={"nnan", "nsz", "reassoc"})
def largest(z, start):
    """max(start, z...). Only with `nnan` does LLVM take vector lanes of maxima.

    That is safe here: what the maximum of a row with a NaN comes out as does not matter, for the sum that follows
    is NaN by itself.
    """
    result = start
    for j in range(len(z)):
        result = z[j] if z[j] > result else result
    return result


@kernel("r2 i1 r1 r1 f w2")
def _backward(logits, labels, maximum, total, factor, dlogits):
    dtype = logits.dtype.type
    factor = dtype(factor)
    for n in prange(len(logits)):
        z, dz, target = logits[n], dlogits[n], labels[n]
        if target == IGNORE_INDEX:
            for v in range(len(z)):
                dz[v] = dtype(0)
        else:
            scale = factor / total[n]
            for v in range(len(z)):
                dz[v] = exp(z[v] - maximum[n]) * scale
            dz[target] = (exp(z[target] - maximum[n]) / total[n] - dtype(1)) * factor
