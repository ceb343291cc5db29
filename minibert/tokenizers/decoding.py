"""From ids and tokens back: the half of a tokenizer that needs no text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from minibert.errors import DataError
from minibert.tokenizers.panics import explained
from minibert.tokenizers.special_tokens import SpecialTokens


class Decoding(SpecialTokens):
    """`decode`, `batch_decode`, conversions between tokens and ids, and the size of the vocabulary."""

    clean_up_tokenization_spaces: bool
    lossless: ClassVar[bool] = True  # decoding gives the text back, so there is no space to clean up

    def decode(
        self,
        token_ids: int | list | np.ndarray,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
    ) -> str | list[str]:
        """Return the text of ids, (T,), or the texts of a batch of them, (B, T)."""
        ids = _as_lists(token_ids)
        if ids and isinstance(ids[0], list):
            return [self.decode(row, skip_special_tokens, clean_up_tokenization_spaces) for row in ids]
        with explained(DataError, "these ids cannot be decoded"):
            text = self.backend_tokenizer.decode(ids, skip_special_tokens=skip_special_tokens)
        wish = clean_up_tokenization_spaces
        clean = self.clean_up_tokenization_spaces if wish is None else wish
        return _clean_up(text) if clean and not self.lossless else text

    def batch_decode(self, sequences: list | np.ndarray, **options: Any) -> list[str]:
        """Return the texts of a batch of ids; options as in `decode`."""
        texts = self.decode(sequences, **options) if len(sequences) else []
        return [texts] if isinstance(texts, str) else texts

    def convert_tokens_to_ids(self, tokens: str | Iterable[str]) -> int | list[int | None] | None:
        """Return the id of a token, or the ids of several; the id of the unknown token for others."""
        with explained(DataError, "these are no tokens"):
            if isinstance(tokens, str):
                id = self.backend_tokenizer.token_to_id(tokens)
                return self.unk_token_id if id is None else id
            return [self.convert_tokens_to_ids(token) for token in tokens]

    def convert_ids_to_tokens(
        self, ids: int | Iterable[int], skip_special_tokens: bool = False
    ) -> str | list[str | None] | None:
        """Return the token of an id, or the tokens of several; None for an id outside the vocabulary."""
        with explained(DataError, "these are no ids"):
            if isinstance(ids, int | np.integer):
                return self.backend_tokenizer.id_to_token(int(ids))
            special = set(self.all_special_ids) if skip_special_tokens else ()
            return [self.backend_tokenizer.id_to_token(int(id)) for id in ids if int(id) not in special]

    def get_vocab(self) -> dict[str, int]:
        """Return token -> id, added tokens included."""
        return self.backend_tokenizer.get_vocab()

    @property
    def vocab_size(self) -> int:
        """The number of tokens without those that were added to the vocabulary; `len` counts them too."""
        return self.backend_tokenizer.get_vocab_size(with_added_tokens=False)

    def __len__(self) -> int:
        return self.backend_tokenizer.get_vocab_size()

    def __bool__(self) -> bool:
        return True


def _as_lists(ids: Any) -> list:
    """Ids as nested lists of int; one id is a list of one."""
    array_free = ids.tolist() if hasattr(ids, "tolist") else ids
    if isinstance(array_free, int):
        return [array_free]
    if not isinstance(array_free, list | tuple):
        raise DataError(f"ids are integers or lists of them, but a {type(ids).__name__} was given")
    return [_as_lists(row) if isinstance(row, list | tuple) or hasattr(row, "tolist") else row for row in array_free]


def _clean_up(text: str) -> str:
    """Remove the spaces that pieces joined by spaces have before punctuation and English endings."""
    for mark in (".", "?", "!", ","):
        text = text.replace(f" {mark}", mark)
    text = text.replace(" ' ", "'")
    for ending in ("n't", "'m", "'s", "'ve", "'re"):
        text = text.replace(f" {ending}", ending)
    return text
