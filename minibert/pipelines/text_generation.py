"""How could the text go on?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minibert.errors import DataError
from minibert.models.base import Model
from minibert.pipelines.growing_text import GrowingText
from minibert.pipelines.opening import open_both
from minibert.tokenizers.auto import with_face

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from minibert.tokenizers.base import PretrainedTokenizer

MOST = 256  # new tokens, unless the user says how many


class TextGeneration:
    """Continues texts.

    Parameters
    ----------
    model : GPT2LMHeadModel or OpenAIGPTLMHeadModel
    tokenizer : PretrainedTokenizer or tokenizers.Tokenizer
    """

    def __init__(self, model: Model, tokenizer: PretrainedTokenizer | Tokenizer) -> None:
        self.model = model
        self.tokenizer = with_face(tokenizer)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> TextGeneration:
        """Open a run or checkpoint folder. Raises `CheckpointError` or `DataError` if it is not one."""
        return cls(*open_both(folder, "clm"))

    def __call__(
        self, text: str | list[str], max_new_tokens: int | None = None, return_full_text: bool = True, **options: Any
    ) -> list[dict[str, str]] | list[list[dict[str, str]]]:
        """Return the continuations of a text.

        Parameters
        ----------
        text : str or list of str
        max_new_tokens : int, optional
            By default what the model has positions for, at most 256.
        return_full_text : bool
            Whether the prompt stands before what was written.
        **options
            Of `minibert.generation.generate`.

        Returns
        -------
        list of dict
            `generated_text`, one dict for each of `num_return_sequences`. For a list of texts one answer for each.
        """
        if isinstance(text, list):
            return [self(one, max_new_tokens, return_full_text, **options) for one in text]
        ids = self.encode(text)  # (1, T)
        T, ends = ids.shape[1], self._with_end(options)
        most = max(1, min(MOST, self.model.config.max_length - T + 1)) if max_new_tokens is None else max_new_tokens
        rows = self.model.generate(ids, most, **ends)[:, T:]  # (R, new)
        before = text if return_full_text else ""
        return [{"generated_text": before + self._decode(row, ends["eos_token_id"])} for row in rows]

    def stream(self, text: str, max_new_tokens: int, **options: Any) -> Iterator[str]:
        """Yield the continuation in pieces, one for each token; a piece is empty where a character is not complete."""
        ids, options = self.encode(text), self._with_end(options)
        growing, end = GrowingText(self.tokenizer.decode), options["eos_token_id"]
        for (token,) in self.model.stream(ids, max_new_tokens, **options):
            yield "" if token == end else growing.add(int(token))
        if rest := growing.rest():
            yield rest

    def encode(self, text: str) -> np.ndarray:
        """Return the ids of a prompt, (1, T). Raises `DataError` if there are none."""
        ids = self.tokenizer.encode(text, add_special_tokens=False)
        if not ids:
            raise DataError("the prompt is empty: give at least one character to go on from")
        return np.array([ids])

    def _with_end(self, options: dict[str, Any]) -> dict[str, Any]:
        """The token that ends a text is the tokenizer's, unless the user names another."""
        return {"eos_token_id": self.tokenizer.eos_token_id, **options}

    def _decode(self, row: np.ndarray, end: int | None) -> str:
        ended = np.flatnonzero(row == end) if end is not None else []
        return self.tokenizer.decode(row[: ended[0]] if len(ended) else row)
