"""What a tokenizer returns: a dictionary of lists or arrays, and the library's encodings behind it."""

from __future__ import annotations

from collections import UserDict
from typing import TYPE_CHECKING, Any

import numpy as np

from minibert.errors import ConfigError

if TYPE_CHECKING:
    from tokenizers import Encoding


class BatchEncoding(UserDict):
    """`input_ids`, `attention_mask`, ... by key or as attributes; `model(**encoding)` works.

    Attributes
    ----------
    encodings : list of tokenizers.Encoding
        One a row: tokens, words and offsets.
    """

    def __init__(self, data: dict[str, Any], encodings: list[Encoding] | None = None) -> None:
        super().__init__(data)
        self.encodings = encodings or []

    def __getattr__(self, name: str) -> Any:
        if name != "data" and name in self.data:
            return self.data[name]
        raise AttributeError(f"this encoding holds {', '.join(self.__dict__.get('data', ()))}, but no {name}")

    def tokens(self, row: int = 0) -> list[str]:
        """Return the tokens of a row."""
        return self.encodings[row].tokens

    def word_ids(self, row: int = 0) -> list[int | None]:
        """Return the number of the word that each token of a row belongs to; None for special tokens."""
        return self.encodings[row].word_ids

    def sequence_ids(self, row: int = 0) -> list[int | None]:
        """Return 0 or 1, first text or second, for each token of a row; None for special tokens."""
        return self.encodings[row].sequence_ids


def check_tensors(return_tensors: str | None) -> None:
    """Refuse what is not NumPy's."""
    if return_tensors not in (None, "np"):
        raise ConfigError(f"return_tensors is {return_tensors!r}; minibert works on NumPy arrays: use 'np', or None")


def as_array(name: str, rows: list) -> np.ndarray:
    """Return `rows` of equal length as one array: (B, T) int64, or (B, T, 2) for offsets."""
    if len({len(row) for row in rows if isinstance(row, list)}) > 1:
        raise ConfigError(f"the rows of {name} differ in length, so they make no array: pass padding=True")
    return np.array(rows, np.int64).reshape(len(rows), -1, 2) if name == "offset_mapping" else _matrix(rows)


def _matrix(rows: list) -> np.ndarray:
    return np.array(rows, np.int64) if rows else np.zeros((0, 0), np.int64)
