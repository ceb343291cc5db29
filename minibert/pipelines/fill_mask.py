"""Which words could stand at the mask?"""

from __future__ import annotations

from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minibert.data.tokenizer import special_ids
from minibert.errors import ConfigError, DataError
from minibert.models.base import Model
from minibert.ops.attention import softmax
from minibert.pipelines.opening import open_both
from minibert.tokenizers.auto import with_face

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from minibert.tokenizers.base import PretrainedTokenizer

Guess = dict[str, Any]


class FillMask:
    """Guesses the tokens behind the mask token, [MASK] of BERT or <mask> of RoBERTa.

    Parameters
    ----------
    model : BertForMaskedLM, BertForPreTraining or RobertaForMaskedLM
    tokenizer : PretrainedTokenizer or tokenizers.Tokenizer
    """

    def __init__(self, model: Model, tokenizer: PretrainedTokenizer | Tokenizer) -> None:
        self.model = model
        self.tokenizer = with_face(tokenizer)
        self.special = special_ids(tokenizer)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> FillMask:
        """Open a run or checkpoint folder. Raises `CheckpointError` or `DataError` if it is not one."""
        return cls(*open_both(folder, "mlm"))

    def __call__(self, text: str | list[str], top_k: int = 5) -> list[Guess] | list[list[Guess]] | list:
        """Return the `top_k` most probable tokens at the mask in `text`.

        Returns
        -------
        list of dict
            `score` (probability), `token` (id), `token_str`, `sequence` (the text with the token in place). For a text
            with several masks a list of such lists, one for each mask; for a list of texts one answer for each.

        Raises
        ------
        DataError
            If a text has no mask, or is longer than the model's positions.
        """
        if isinstance(text, list):
            return [self(one, top_k) for one in text]
        guesses = self.guess(text, top_k)
        return guesses[0] if len(guesses) == 1 else guesses

    def guess(self, text: str, top_k: int = 5) -> list[list[Guess]]:
        """Return the same of one text, always a list for each mask."""
        V = self.model.config.vocab_size
        if isinstance(top_k, bool) or not isinstance(top_k, Integral) or not 1 <= top_k <= V:
            raise ConfigError(f"top_k must be an integer within 1..{V}, but is {top_k!r}")
        ids = np.array(self.tokenizer.encode(text))  # (T,)
        places = np.flatnonzero(ids == self.special.mask)
        if not len(places):
            mask = self.tokenizer.mask_token
            raise DataError(f"no {mask} in {text!r}: write {mask} in place of the word to guess")
        probs = softmax(self.model(ids[None]).logits[0, places])  # (M, V)
        return [
            [self._guess(ids, place, int(token), p[token]) for token in np.argsort(-p, kind="stable")[:top_k]]
            for place, p in zip(places, probs, strict=True)
        ]

    def _guess(self, ids: np.ndarray, place: int, token: int, score: float) -> Guess:
        filled = ids.copy()
        filled[place] = token
        ordinary = [int(i) for i in filled if i not in (self.special.cls, self.special.sep)]
        return {
            "score": float(score),
            "token": token,
            "token_str": self.tokenizer.decode([token]),
            "sequence": self.tokenizer.decode(ordinary),
        }
