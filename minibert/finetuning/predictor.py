"""A fine-tuned model as a function of its task's inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from tqdm import tqdm

from minibert.errors import TrainingError
from minibert.finetuning.tasks import Encoded, Task
from minibert.training.collate import DataCollatorWithPadding
from minibert.training.examples import Examples, columns_of
from minibert.training.prediction import predict

if TYPE_CHECKING:
    from minibert.models.base import Model
    from minibert.tokenizers.base import PretrainedTokenizer


class Predictions(NamedTuple):
    """What is predicted for each input, in the form of the task, and how many inputs were cut off."""

    values: Any
    truncated: int


class Predictor(NamedTuple):
    """A model with all that belongs to it."""

    model: Model
    tokenizer: PretrainedTokenizer
    task: Task
    names: list[str]  # of the labels
    max_length: int

    def encode(self, inputs: list) -> Encoded:
        """Return the inputs as rows of tokens."""
        return self.task.encode(self.tokenizer, inputs, self.max_length)

    def __call__(self, inputs: list, batch_size: int = 32, progress: bool = False) -> Predictions:
        """Predict, `batch_size` rows at a time; `progress` shows a bar.

        Raises
        ------
        TrainingError
            If a score is not finite: no weight may be infinite or NaN, but what is computed of large ones can.
        """
        encoded = self.encode(inputs)
        model = self.task.scorer(self.model)
        examples = Examples(encoded.columns, columns_of(model))
        pad = getattr(self.model.config, "pad_token_id", None) or 0
        collate = DataCollatorWithPadding(self.tokenizer, pad)
        with tqdm(total=len(examples), unit="row", disable=not progress, dynamic_ncols=True) as bar:

            def counted(rows: list) -> dict:
                bar.update(len(rows))
                return collate(rows)

            scores = predict(model, examples, counted, batch_size, ()).scores
        if not all(np.isfinite(part).all() for part in (scores if isinstance(scores, tuple) else (scores,))):
            raise TrainingError(
                "the model's scores are not finite, because its weights are too large: train it with a lower learning "
                "rate"
            )
        return Predictions(self.task.predictions(encoded, scores, self.names), encoded.truncated)
