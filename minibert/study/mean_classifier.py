"""A classifier that reads the mean of all tokens' vectors, not the first token's alone.

[CLS] means nothing in a model that was never trained on it, as one that only filled in masks, or a sentence encoder
that was trained through its mean. With the mean, all models of a study start on the same terms.
"""

from typing import NamedTuple

import numpy as np

from minibert.blocks.classifiers import ClassifierCache, classifier, classifier_backward
from minibert.models.bert import BertInput
from minibert.models.bert_tasks import BertTask
from minibert.models.task_model import SequenceTask
from minibert.ops import mean_pooling, mean_pooling_backward
from minibert.ops.pooling import MeanPoolingCache
from minibert.tree import Tree


class MeanClassifierCache(NamedTuple):
    pooling: MeanPoolingCache
    classifier: ClassifierCache


class BertMeanClassifier(SequenceTask, BertTask):
    """z = dropout(mean_t h_t) W + b: BERT with a decision about the whole input, without the pooler."""

    def head(self, hidden: np.ndarray, inputs: BertInput, key: int | None) -> tuple[np.ndarray, MeanClassifierCache]:
        """Return logits (B, C)."""
        mean, pooling = mean_pooling(hidden, visible(inputs))  # (B, D)
        logits, cache = classifier(mean, self.params["task_head"], self.head_dropout, key)  # (B, C)
        return logits, MeanClassifierCache(pooling, cache)

    def head_backward(self, dlogits: np.ndarray, cache: MeanClassifierCache) -> tuple[np.ndarray, Tree]:
        """Return dhidden (B, T, D), gradients of the head."""
        dmean, dhead = classifier_backward(dlogits, cache.classifier)  # (B, D)
        return mean_pooling_backward(dmean, cache.pooling), {"task_head": dhead}

    @staticmethod
    def summary(hidden: np.ndarray, inputs: BertInput) -> np.ndarray:
        """Return what the head reads of each text, (B, D): see `minibert.finetuning.features`."""
        return mean_pooling(hidden, visible(inputs))[0]


def visible(inputs: BertInput) -> np.ndarray | None:
    """Return which tokens are no padding, (B, T) booleans, or None for all."""
    return None if inputs.bias is None else inputs.bias[:, 0, 0, :]
