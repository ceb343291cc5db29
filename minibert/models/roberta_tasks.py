"""RoBERTa with the heads it is fine-tuned with: BERT's, but for sequences, where it has a layer of its own."""

from typing import ClassVar

import numpy as np

from minibert.blocks.classifiers import DenseClassifierCache, dense_classifier, dense_classifier_backward
from minibert.models.bert import BertInput
from minibert.models.bert_tasks import (
    BertBody,
    BertForMultipleChoice,
    BertForQuestionAnswering,
    BertForTokenClassification,
    BertTask,
)
from minibert.models.initialise import linear_params
from minibert.models.names import NameTable
from minibert.models.roberta import _name_table, _Roberta
from minibert.models.task_model import SequenceTask
from minibert.tree import Tree


class RobertaBody(_Roberta):
    """What RoBERTa changes in the tasks of BERT."""

    prefix = "roberta."
    name_table, find = BertBody.name_table, BertBody.find

    def body_names(self) -> NameTable:
        """Return the checkpoint's names of the body's parameters."""
        return _name_table(self.config.num_hidden_layers, self.prefix)


class RobertaForTokenClassification(RobertaBody, BertForTokenClassification):
    """RoBERTa with a label for each token."""


class RobertaForQuestionAnswering(RobertaBody, BertForQuestionAnswering):
    """RoBERTa that finds an answer in the text: for each token, a score as its start and one as its end."""


class RobertaForMultipleChoice(RobertaBody, BertForMultipleChoice):
    """RoBERTa that scores each of C inputs with one number; the softmax is over the C choices.

    As released, its dropout is `hidden_dropout_prob` whatever `classifier_dropout` says.
    """

    @property
    def head_dropout(self) -> float:
        """The rate of dropout before the head."""
        return self.config.hidden_dropout_prob


class RobertaForSequenceClassification(RobertaBody, SequenceTask, BertTask):
    """RoBERTa with a decision about the whole input: see `SequenceTask`."""

    head_names: ClassVar[NameTable] = {
        "task_head.dense.weight": ("classifier.dense.weight",),
        "task_head.dense.bias": ("classifier.dense.bias",),
        "task_head.output.weight": ("classifier.out_proj.weight",),
        "task_head.output.bias": ("classifier.out_proj.bias",),
    }

    def init_head(self, rng: np.random.Generator | None) -> Tree:
        """dense: weight (D, D), bias (D,); output: weight (D, C), bias (C,)."""
        D, std = self.config.hidden_size, self.config.initializer_range
        return {"dense": linear_params(D, D, std, rng, self.dtype, self.draw), "output": super().init_head(rng)}

    def head(self, hidden: np.ndarray, inputs: BertInput, key: int | None) -> tuple[np.ndarray, DenseClassifierCache]:
        """Return logits (B, C)."""
        return dense_classifier(hidden, self.params["task_head"], self.head_dropout, key)

    def head_backward(self, dlogits: np.ndarray, cache: DenseClassifierCache) -> tuple[np.ndarray, Tree]:
        """Return dhidden (B, T, D), gradients of the head."""
        dhidden, dhead = dense_classifier_backward(dlogits, cache)
        return dhidden, {"task_head": dhead}
