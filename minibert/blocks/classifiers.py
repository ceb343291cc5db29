"""The heads of tasks: from the last hidden state to a score (logit) for each class.

What they share is a linear layer behind dropout. They differ in what it reads: every token, the pooled
[CLS] vector, RoBERTa's own transformation of <s>, or the last token of a decoder.
"""

from typing import NamedTuple

import numpy as np

from minibert.blocks.heads import PoolerCache, pooler, pooler_backward
from minibert.ops import dropout, dropout_backward, fold_in, linear, linear_backward
from minibert.ops.dropout import DropoutCache
from minibert.ops.linear import LinearCache
from minibert.tree import Tree


class ClassifierCache(NamedTuple):
    dropout: DropoutCache
    linear: LinearCache


class PooledClassifierCache(NamedTuple):
    shape: tuple[int, ...]  # (B, T, D)
    pooler: PoolerCache
    classifier: ClassifierCache


class DenseClassifierCache(NamedTuple):
    dropout: DropoutCache
    pooled: PooledClassifierCache


class LastTokenCache(NamedTuple):
    shape: tuple[int, ...]  # (B, T, D)
    last: np.ndarray  # (B,)
    linear: LinearCache


def classifier(x: np.ndarray, p: Tree, rate: float, key: int | None) -> tuple[np.ndarray, ClassifierCache]:
    """z = dropout(x) W + b.

    x (..., D), p {weight (D, C), bias (C,) if there is one}  ->  logits (..., C), cache.
    """
    dropped, dropout_cache = dropout(x, rate, key)
    logits, linear_cache = linear(dropped, p["weight"], p.get("bias"))  # (..., C)
    return logits, ClassifierCache(dropout_cache, linear_cache)


def classifier_backward(dlogits: np.ndarray, cache: ClassifierCache) -> tuple[np.ndarray, Tree]:
    """dlogits (..., C)  ->  dx (..., D), gradients of p."""
    ddropped, dweight, dbias = linear_backward(dlogits, cache.linear)  # (..., D)
    dp = {"weight": dweight} if dbias is None else {"weight": dweight, "bias": dbias}
    return dropout_backward(ddropped, cache.dropout), dp


def pooled_classifier(
    hidden: np.ndarray, p_pooler: Tree, p_head: Tree, rate: float, key: int | None
) -> tuple[np.ndarray, PooledClassifierCache]:
    """z = dropout(pooler(h_[CLS])) W + b: one decision about the whole input, as BERT makes it.

    hidden (B, T, D), p_pooler {weight (D, D), bias}, p_head {weight (D, C), bias}  ->  logits (B, C), cache.
    """
    pooled, pooler_cache = pooler(hidden[:, 0], p_pooler)  # (B, D)
    logits, classifier_cache = classifier(pooled, p_head, rate, key)  # (B, C)
    return logits, PooledClassifierCache(hidden.shape, pooler_cache, classifier_cache)


def pooled_classifier_backward(dlogits: np.ndarray, cache: PooledClassifierCache) -> tuple[np.ndarray, Tree, Tree]:
    """dlogits (B, C)  ->  dhidden (B, T, D), gradients of p_pooler and of p_head."""
    dpooled, dhead = classifier_backward(dlogits, cache.classifier)  # (B, D)
    dfirst, dpooler = pooler_backward(dpooled, cache.pooler)  # (B, D)
    dhidden = np.zeros(cache.shape, dfirst.dtype)  # (B, T, D)
    dhidden[:, 0] = dfirst
    return dhidden, dpooler, dhead


def dense_classifier(
    hidden: np.ndarray, p: Tree, rate: float, key: int | None
) -> tuple[np.ndarray, DenseClassifierCache]:
    """z = dropout(tanh(dropout(h_<s>) U + c)) W + b: RoBERTa's way, which has no pooler but a layer in the head.

    hidden (B, T, D), p {dense: U (D, D), c; output: W (D, C), b}  ->  logits (B, C), cache.
    """
    first, dropout_cache = dropout(hidden[:, :1], rate, fold_in(key, 0))  # (B, 1, D)
    logits, cache = pooled_classifier(first, p["dense"], p["output"], rate, fold_in(key, 1))  # (B, C)
    return logits, DenseClassifierCache(dropout_cache, cache._replace(shape=hidden.shape))


def dense_classifier_backward(dlogits: np.ndarray, cache: DenseClassifierCache) -> tuple[np.ndarray, Tree]:
    """dlogits (B, C)  ->  dhidden (B, T, D), gradients of p."""
    dhidden, ddense, doutput = pooled_classifier_backward(dlogits, cache.pooled)  # (B, T, D)
    dhidden[:, :1] = dropout_backward(dhidden[:, :1], cache.dropout)
    return dhidden, {"dense": ddense, "output": doutput}


def last_token_classifier(hidden: np.ndarray, last: np.ndarray, p: Tree) -> tuple[np.ndarray, LastTokenCache]:
    """z = h_last E^T: a decoder's last token is the one that has seen all others.

    hidden (B, T, D), last (B,) where it stands, p {classes: E (C, D), a vector for each class}
    ->  logits (B, C), cache.
    """
    logits, cache = linear(hidden[np.arange(len(last)), last], p["classes"].T)  # (B, C)
    return logits, LastTokenCache(hidden.shape, last, cache)


def last_token_classifier_backward(dlogits: np.ndarray, cache: LastTokenCache) -> tuple[np.ndarray, Tree]:
    """dlogits (B, C)  ->  dhidden (B, T, D), gradients of p."""
    dx, dweight, _ = linear_backward(dlogits, cache.linear)  # (B, D), (D, C)
    dhidden = np.zeros(cache.shape, dx.dtype)  # (B, T, D)
    dhidden[np.arange(len(cache.last)), cache.last] = dx
    return dhidden, {"classes": None if dweight is None else dweight.T}
