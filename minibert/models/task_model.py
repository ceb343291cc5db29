"""What models with the head of a task share: body, head, loss, and the way back.

A new head is a class with five short methods: `init_head`, `head` and `head_backward` (mostly calls of
`minibert.blocks.classifiers`), and `loss` and `count` where its labels are not one class of C at each place.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from minibert.blocks.task_losses import (
    TaskLossCache,
    multi_label_loss,
    regression_loss,
    single_label_loss,
    task_loss_backward,
)
from minibert.errors import CheckpointError, DataError
from minibert.models.base import Losses, Model
from minibert.models.inputs import check_classes, check_labels, numbers_of
from minibert.models.label_config import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from minibert.models.names import NameTable
from minibert.models.safetensors_file import Stored
from minibert.ops import IGNORE_INDEX, fold_in
from minibert.tree import Tree


class Scores(NamedTuple):
    """What the forward pass leaves."""

    logits: np.ndarray
    hidden: list[np.ndarray]  # L + 1 arrays (B, T, D)
    body: Any  # cache
    head: Any  # cache


class TaskCache(NamedTuple):
    body: Any
    head: Any
    loss: Any


class TaskModel(Model):
    """A body as `BertModel` or `GPT2Model`, and a head that scores classes.

    `params` hold the body and `task_head`. The loss of a batch is called `part` in `Losses.parts` and in
    `target_counts`.
    """

    part: ClassVar[str]
    labels: ClassVar[tuple[str, ...]] = ("labels",)  # what a batch must hold for the loss
    head_names: ClassVar[NameTable]  # ours -> the checkpoint's; the last one has a row for each class

    # What a head defines --------------------------------------------------------------------

    def init_head(self, rng: np.random.Generator | None) -> Tree:
        """Return random initial parameters of the head."""
        raise NotImplementedError

    def head(self, hidden: np.ndarray, inputs: Any, key: int | None) -> tuple[np.ndarray, Any]:
        """Return logits of the last hidden state (B, T, D), and the cache for `head_backward`."""
        raise NotImplementedError

    def head_backward(self, dlogits: np.ndarray, cache: Any) -> tuple[np.ndarray, Tree]:
        """Return dhidden (B, T, D), and the gradients of what is not the body's."""
        raise NotImplementedError

    def loss(
        self, logits: np.ndarray, labels: dict[str, ArrayLike], counts: dict[str, int], smoothing: float = 0.0
    ) -> tuple[Losses, Any]:
        """Return the loss of logits (..., C) with labels (...) of 0..C-1, or -100 where there is no target."""
        targets = check_labels("labels", labels["labels"], logits.shape[-1], logits.shape[:-1])
        part, cache = single_label_loss(logits, targets, counts.get(self.part), smoothing)
        return Losses(part.loss, {self.part: part}), cache

    def loss_backward(self, cache: TaskLossCache) -> np.ndarray:
        """Return dlogits."""
        return task_loss_backward(1.0, cache)

    def count_targets(self, batch: dict[str, Any]) -> dict[str, int]:
        """Return how many targets the loss has in a batch."""
        return {self.part: int((np.asarray(batch["labels"]) != IGNORE_INDEX).sum())}

    def check_targets(self, labels: Sequence[ArrayLike]) -> None:
        """Raise `DataError` if the labels of all examples of a dataset, one entry each, cannot be learned from."""

    # What it gets ---------------------------------------------------------------------------

    def init_params(self, rng: np.random.Generator | None) -> Tree:
        """Return random initial parameters."""
        return {**super().init_params(rng), "task_head": self.init_head(rng)}

    def scores(self, batch: dict[str, Any], key: int | None) -> Scores:
        """Return the logits of a batch without labels; `key` None: no dropout."""
        inputs = self.check(**batch)
        hidden, body = self.body(inputs, self.params, self.config, key)
        logits, head = self.head(hidden[-1], inputs, fold_in(key, 2))
        return Scores(logits, hidden, body, head)

    def forward_loss(self, batch: dict[str, Any], key: int | None, counts: dict[str, int]) -> tuple[Losses, TaskCache]:
        """Return the loss of a batch with labels.

        `label_smoothing` in the batch (by default 0) is the epsilon of `smoothed_cross_entropy`.
        """
        batch = dict(batch)
        smoothing = batch.pop("label_smoothing", 0.0)
        labels = {name: value for name in self.labels if (value := batch.pop(name, None)) is not None}
        if len(labels) < len(self.labels):
            raise DataError(f"{type(self).__name__} needs {' and '.join(self.labels)} for its loss")
        scores = self.scores(batch, key)
        losses, cache = self.loss(scores.logits, labels, counts, smoothing)
        return losses, TaskCache(scores.body, scores.head, cache)

    def backward(self, cache: TaskCache) -> Tree:
        """Return the gradients of the loss."""
        dhidden, dhead = self.head_backward(self.loss_backward(cache.loss), cache.head)  # (B, T, D)
        return {**self.body_backward(dhidden, cache.body), **dhead}

    def predict(
        self, batch: dict[str, Any], labels: dict[str, ArrayLike | None], states: bool, attentions: bool
    ) -> tuple[float | None, np.ndarray, dict[str, tuple[np.ndarray, ...]]]:
        """Return loss (if all labels are given), logits and what else an output holds, without dropout."""
        scores = self.scores({name: value for name, value in batch.items() if value is not None}, None)
        loss = None
        if all(value is not None for value in labels.values()):
            loss = self.loss(scores.logits, labels, {})[0].total
        more = {}
        if states:
            more["hidden_states"] = tuple(scores.hidden)
        if attentions:
            more["attentions"] = tuple(layer.attention.core.probs for layer in self.layer_caches(scores.body))
        return loss, scores.logits, more

    def check_labels_of(self, tensors: dict[str, Stored]) -> None:
        """Raise `CheckpointError` if a checkpoint's head has another number of classes."""
        name = list(self.head_names.values())[-1][0]
        wanted = self.to_hf()[name].shape[0]
        found = next(iter(tensors[name].shape), 1) if name in tensors else wanted
        if found != wanted:
            open_as_it_is = f"num_labels={found}, or with " if wanted == self.config.num_labels else ""
            raise CheckpointError(
                f"{name}: the head in the file has {found} labels, not {wanted}: open it with {open_as_it_is}"
                "ignore_mismatched_sizes=True, which begins a new head"
            )


class SequenceTask(TaskModel):
    """One decision about the whole input: one label of C, any of C labels, or C numbers.

    `config.problem_type` says which. If it says nothing, one label means a number, integers mean
    one label of C, and anything else any of C labels, as in Hugging Face.
    """

    part = "sequence"

    def problem(self, labels: np.ndarray) -> str:
        """Return the kind of problem that labels (B,) or (B, C) pose."""
        if self.config.problem_type is not None:
            return self.config.problem_type
        if self.config.num_labels == 1:
            return REGRESSION
        return SINGLE_LABEL if labels.dtype.kind in "iu" else MULTI_LABEL

    def loss(
        self, logits: np.ndarray, labels: dict[str, ArrayLike], counts: dict[str, int], smoothing: float = 0.0
    ) -> tuple[Losses, Any]:
        """Return the loss of logits (B, C) with labels (B,), or (B, C) where they are numbers or decisions."""
        targets = np.asarray(labels["labels"])
        problem = self.problem(targets)
        if problem == SINGLE_LABEL:
            return super().loss(logits, labels, counts, smoothing)
        if smoothing:
            raise DataError(f"label_smoothing is for one label of several, not for {problem}: leave it out")
        targets = _check_numbers(targets, problem, logits.shape)
        function = regression_loss if problem == REGRESSION else multi_label_loss
        part, cache = function(logits, targets, counts.get(self.part))
        return Losses(part.loss, {self.part: part}), cache

    def check_targets(self, labels: Sequence[ArrayLike]) -> None:
        """Raise `DataError` if a label is out of range, or all are of one class."""
        targets, C = numbers_of(labels), self.config.num_labels
        self.loss(np.zeros((len(targets), C)), {"labels": targets}, {})
        if self.problem(targets) == SINGLE_LABEL:
            check_classes(targets)

    def count_targets(self, batch: dict[str, Any]) -> dict[str, int]:
        """Return how many targets the loss has in a batch."""
        targets = np.asarray(batch["labels"])
        return super().count_targets(batch) if self.problem(targets) == SINGLE_LABEL else {self.part: targets.size}


def _check_numbers(labels: np.ndarray, problem: str, shape: tuple[int, int]) -> np.ndarray:
    """Return labels (B, C) of `problem`; for one number (B,) will do. Raises `DataError`."""
    if shape[1] == 1 and labels.shape == shape[:1]:
        labels = labels[:, None]  # (B, 1)
    if labels.shape != shape or labels.dtype.kind not in "biuf":
        raise DataError(f"labels for {problem} must be numbers of shape {shape}; got {labels.dtype} {labels.shape}")
    wrong = ~np.isfinite(labels) if problem == REGRESSION else ~((labels >= 0) & (labels <= 1))
    if wrong.any():
        where = ", ".join(map(str, np.argwhere(wrong)[0]))
        rule = "be finite" if problem == REGRESSION else "be within 0..1"
        raise DataError(f"labels[{where}] is {labels[wrong][0]}, but must {rule} for {problem}")
    return labels
