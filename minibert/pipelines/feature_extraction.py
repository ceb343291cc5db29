"""What does the model make of each token?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minibert.data.released_models import model_folder
from minibert.dispatch import no_grad
from minibert.models.auto import AutoConfig
from minibert.models.base import Model
from minibert.models.bodies import open_body
from minibert.models.tokenizer_beside import open_tokenizer_of
from minibert.tokenizers.auto import with_face

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from minibert.tokenizers.base import PretrainedTokenizer

Features = list[list[list[float]]] | np.ndarray


class FeatureExtraction:
    """Returns the last hidden state of a text; for one vector a sentence see `minibert.SentenceEncoder`.

    Parameters
    ----------
    model : BertModel, RobertaModel, GPT2Model or OpenAIGPTModel
    tokenizer : PretrainedTokenizer or tokenizers.Tokenizer
    """

    def __init__(self, model: Model, tokenizer: PretrainedTokenizer | Tokenizer) -> None:
        self.model = model
        self.tokenizer = with_face(tokenizer)

    @classmethod
    def from_pretrained(cls, model: str | Path) -> FeatureExtraction:
        """Open a run or checkpoint folder, or a model by its name. Raises `CheckpointError` or `DataError`."""
        folder = model_folder(model)
        tokenizer = open_tokenizer_of(AutoConfig.from_pretrained(folder), folder)
        return cls(open_body(folder), tokenizer)

    def __call__(
        self, text: str | list[str], return_tensors: bool = False, truncation: bool = False
    ) -> Features | list[Features]:
        """Return a vector for each token of a text, special tokens among them.

        Parameters
        ----------
        text : str or list of str
        return_tensors : bool
            Arrays instead of lists.
        truncation : bool
            Cut a text that is longer than the model's positions, instead of refusing it.

        Returns
        -------
        list or array (1, T, D)
            For a list of texts one for each.

        Raises
        ------
        DataError
            If a text has no token, or more than the model has positions for.
        """
        if isinstance(text, list):
            return [self(one, return_tensors, truncation) for one in text]
        most = min(self.tokenizer.model_max_length, self.model.config.max_length)
        ids = self.tokenizer.encode(text, truncation=truncation, max_length=most if truncation else None)  # (T,)
        with no_grad():
            hidden = self.model(np.array([ids], np.int64)).last_hidden_state  # (1, T, D)
        return hidden if return_tensors else hidden.tolist()
