"""Which class is this text of?"""

from __future__ import annotations

from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minibert.dispatch import no_grad
from minibert.errors import CheckpointError, ConfigError, DataError
from minibert.models.base import Model
from minibert.models.label_config import MULTI_LABEL, REGRESSION
from minibert.ops.attention import softmax
from minibert.tokenizers.auto import with_face

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from minibert.tokenizers.base import PretrainedTokenizer

Text = str | dict[str, str]  # of a pair {"text": ..., "text_pair": ...}
Label = dict[str, Any]
KIND = "sequence-classification"
ONLY_THE_BEST = 0


class TextClassification:
    """Says which label a text has, and how probable that is.

    Parameters
    ----------
    model : BertForSequenceClassification, RobertaForSequenceClassification or GPT2ForSequenceClassification
    tokenizer : PretrainedTokenizer or tokenizers.Tokenizer
    """

    def __init__(self, model: Model, tokenizer: PretrainedTokenizer | Tokenizer) -> None:
        self.model = model
        self.tokenizer = with_face(tokenizer)

    @classmethod
    def from_pretrained(cls, model: str | Path) -> TextClassification:
        """Open a fine-tuned model or an adapter. Raises `CheckpointError` or `DataError` if it is none."""
        from minibert.finetuning.opening import open_trained

        predictor, settings = open_trained(str(model))
        if predictor.task.kind != KIND:
            raise CheckpointError(f"{model}: does {settings.task}, which is no text-classification")
        return cls(predictor.model, predictor.tokenizer)

    def __call__(
        self, text: Text | list[Text], top_k: int | None = ONLY_THE_BEST, truncation: bool = False
    ) -> Label | list[Label] | list[list[Label]]:
        """Return the most probable label of a text.

        Parameters
        ----------
        text : str, dict or list of them
            A pair of texts is {"text": ..., "text_pair": ...}.
        top_k : int or None, optional
            So many labels, the most probable first; None: all.
        truncation : bool
            Cut a text that is longer than the model's positions, instead of refusing it.

        Returns
        -------
        list of dict
            `label` and `score`, its probability (of a model with one label: its number). For a list of texts one dict
            each, and with `top_k` a list of dicts each. For a single pair without `top_k`, the dict.

        Raises
        ------
        DataError
            If a text is none, or has more tokens than the model has positions for.
        """
        if isinstance(text, list):
            return [self._labels(one, top_k, truncation) for one in text]
        found = self._labels(text, top_k, truncation)
        return [found] if isinstance(text, str) and isinstance(found, dict) else found

    def _labels(self, text: Text, top_k: int | None, truncation: bool) -> Label | list[Label]:
        scores, names = self._scores(text, truncation), self.model.config.id2label
        if top_k is not None and (isinstance(top_k, bool) or not isinstance(top_k, Integral) or top_k < 0):
            raise ConfigError(f"top_k must be a number of labels, or None for all, but is {top_k!r}")
        best = [{"label": names[int(i)], "score": float(scores[i])} for i in np.argsort(-scores, kind="stable")]
        return best[0] if top_k == ONLY_THE_BEST else best[:top_k]

    def _scores(self, text: Text, truncation: bool) -> np.ndarray:
        """The score of each label (C,)."""
        given = text if isinstance(text, dict) else {"text": text}
        if not {"text"} <= given.keys() <= {"text", "text_pair"} or not all(isinstance(t, str) for t in given.values()):
            raise DataError('a text must be a str, or {"text": ..., "text_pair": ...} of a pair')
        most = min(self.tokenizer.model_max_length, self.model.config.max_length)
        length = {"truncation": truncation, "max_length": most if truncation else None}
        encoding = self.tokenizer(given["text"], given.get("text_pair"), return_tensors="np", **length)
        with no_grad():
            (logits,) = self.model(**encoding).logits  # (C,)
        if self.model.config.problem_type == MULTI_LABEL:
            return 1 / (1 + np.exp(-logits))
        alone = self.model.config.problem_type == REGRESSION or len(logits) == 1
        return logits if alone else softmax(logits)
