"""Which words could stand at the mask?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minibert.data.tokenizer import load_tokenizer, special_ids
from minibert.errors import ConfigError, DataError
from minibert.models.bert_heads import BertForMaskedLM, BertForPreTraining
from minibert.ops.attention import softmax

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class FillMask:
    """Guesses the tokens behind [MASK].

    Parameters
    ----------
    model : BertForMaskedLM or BertForPreTraining
    tokenizer : tokenizers.Tokenizer
    """

    def __init__(self, model: BertForMaskedLM | BertForPreTraining, tokenizer: Tokenizer) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.special = special_ids(tokenizer)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> FillMask:
        """Open a run or checkpoint folder. Raises `CheckpointError` or `DataError` if it is not one."""
        model = BertForMaskedLM.from_pretrained(folder)
        return cls(model, load_tokenizer(folder))

    def __call__(self, text: str, top_k: int = 5) -> list[list[dict[str, Any]]]:
        """Return, for each [MASK] in `text`, the `top_k` most probable tokens.

        Returns
        -------
        list of list of dict
            `score` (probability), `token` (id), `token_str`, `sequence` (the text with the token in place).

        Raises
        ------
        DataError
            If the text has no [MASK], or is longer than the model's positions.
        """
        if not 1 <= top_k <= self.model.config.vocab_size:
            raise ConfigError(f"top_k must be within 1..{self.model.config.vocab_size}, but is {top_k}")
        ids = np.array(self.tokenizer.encode(text).ids)  # (T,)
        places = np.flatnonzero(ids == self.special.mask)
        if not len(places):
            raise DataError(f"no [MASK] in {text!r}: write [MASK] in place of the word to guess")
        probs = softmax(self.model(ids[None]).logits[0, places])  # (M, V)
        return [
            [self._guess(ids, place, int(token), p[token]) for token in np.argsort(-p, kind="stable")[:top_k]]
            for place, p in zip(places, probs, strict=True)
        ]

    def _guess(self, ids: np.ndarray, place: int, token: int, score: float) -> dict[str, Any]:
        filled = ids.copy()
        filled[place] = token
        ordinary = [int(i) for i in filled if i not in (self.special.cls, self.special.sep)]
        return {
            "score": float(score),
            "token": token,
            "token_str": self.tokenizer.id_to_token(token),
            "sequence": self.tokenizer.decode(ordinary, skip_special_tokens=False),
        }
