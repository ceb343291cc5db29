"""The two losses of BERT, from the last hidden state to a number (Devlin et al. 2018, section 3.1).

BERT minimises their sum, L = L_MLM + L_NSP.
"""

from typing import NamedTuple

import numpy as np

from minibert.blocks.heads import PoolerCache, TransformCache, pooler, pooler_backward, transform, transform_backward
from minibert.ops import (
    IGNORE_INDEX,
    cross_entropy,
    cross_entropy_backward,
    linear,
    linear_backward,
    linear_cross_entropy,
    linear_cross_entropy_backward,
)
from minibert.ops.cross_entropy import CrossEntropyCache
from minibert.ops.linear import LinearCache
from minibert.ops.linear_cross_entropy import LinearCrossEntropyCache
from minibert.tree import Tree


class LossPart(NamedTuple):
    """One loss and how well its targets were guessed."""

    loss: float
    correct: int
    count: int  # number of targets


class MaskedLMCache(NamedTuple):
    rows: np.ndarray  # (M,) the masked positions among all B T
    shape: tuple[int, ...]  # (B, T, D)
    transform: TransformCache
    loss: LinearCrossEntropyCache


class NextSentenceCache(NamedTuple):
    shape: tuple[int, ...]  # (B, T, D)
    pooler: PoolerCache
    head: LinearCache
    loss: CrossEntropyCache


def masked_lm_loss(
    hidden: np.ndarray, labels: np.ndarray, table: np.ndarray, p: Tree, activation: str, eps: float, count: int | None
) -> tuple[LossPart, MaskedLMCache]:
    """L_MLM = -(1/|M|) sum_{i in M} log P(x_i | x without M),  P = softmax(transform(h_i) E^T + b).

    hidden (B, T, D), labels (B, T) with the true id where i is in M and -100 elsewhere,
    table E (V, D), p {dense, norm, bias b (V,)}  ->  loss, cache.

    The decoder is tied: its weight is the table of token vectors. Only the positions in M enter
    it, for the vocabulary's logits would be most of the work of a small model. Summed over
    M instead, this is L_MLM = -sum_{t=1..T} 1{t in M} log p(w_t | w_1..w_T). `count`
    replaces |M|, see `cross_entropy`.
    """
    rows = np.flatnonzero(labels != IGNORE_INDEX)  # (M,)
    targets = labels.reshape(-1)[rows]  # (M,)
    t, transform_cache = transform(hidden.reshape(-1, hidden.shape[-1])[rows], p, activation, eps)  # (M, D)
    loss, loss_cache = linear_cross_entropy(t, table.T, p["bias"], targets, count)
    correct = int((loss_cache.predictions == targets).sum())
    return LossPart(float(loss), correct, len(rows)), MaskedLMCache(rows, hidden.shape, transform_cache, loss_cache)


def masked_lm_loss_backward(dloss: float, cache: MaskedLMCache) -> tuple[np.ndarray, np.ndarray | None, Tree]:
    """dloss (scalar)  ->  dhidden (B, T, D), dtable (V, D), gradients of p.

    dtable is what the table receives as a decoder; as an embedding it receives more. None if it is Frozen.
    """
    dt, dweight, dbias = linear_cross_entropy_backward(dloss, cache.loss)  # (M, D), (D, V), (V,)
    dmasked, dp = transform_backward(dt, cache.transform)  # (M, D)
    dhidden = np.zeros((np.prod(cache.shape[:-1]), cache.shape[-1]), dmasked.dtype)  # (B T, D)
    dhidden[cache.rows] = dmasked
    dtable = None if dweight is None else dweight.T  # (V, D)
    return dhidden.reshape(cache.shape), dtable, {**dp, "bias": dbias}


def next_sentence_loss(
    hidden: np.ndarray, labels: np.ndarray, p_pooler: Tree, p_head: Tree, count: int | None
) -> tuple[LossPart, NextSentenceCache]:
    """L_NSP = -(1/N) sum_{i=1..N} log p(y_i | s_1^(i), s_2^(i)),  p = softmax(pooler(h_[CLS]) W + b).

    hidden (B, T, D), labels (B,), p_pooler {weight (D, D), bias}, p_head {weight (D, 2), bias}
    ->  loss, cache; N = B.

    Labels are those of the released BERT: 0 = the second sentence is the next one, 1 = it is
    a random one. The formula in the literature often says y = 1 for consecutive sentences;
    the loss is the same, with the two columns of W and b exchanged.
    """
    pooled, pooler_cache = pooler(hidden[:, 0], p_pooler)  # (B, D)
    logits, head_cache = linear(pooled, p_head["weight"], p_head["bias"])  # (B, 2)
    loss, loss_cache = cross_entropy(logits, labels, count)
    counted = labels != IGNORE_INDEX
    correct = int(((logits.argmax(-1) == labels) & counted).sum())
    part = LossPart(float(loss), correct, int(counted.sum()))
    return part, NextSentenceCache(hidden.shape, pooler_cache, head_cache, loss_cache)


def next_sentence_loss_backward(dloss: float, cache: NextSentenceCache) -> tuple[np.ndarray, Tree, Tree]:
    """dloss (scalar)  ->  dhidden (B, T, D), gradients of p_pooler and of p_head."""
    dlogits = cross_entropy_backward(dloss, cache.loss)  # (B, 2)
    dpooled, dweight, dbias = linear_backward(dlogits, cache.head)  # (B, D)
    dfirst, dpooler = pooler_backward(dpooled, cache.pooler)  # (B, D)
    dhidden = np.zeros(cache.shape, dfirst.dtype)  # (B, T, D)
    dhidden[:, 0] = dfirst
    return dhidden, dpooler, {"weight": dweight, "bias": dbias}
