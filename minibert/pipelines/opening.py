"""A model and its tokenizer out of one folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from minibert.models.base import Model
from minibert.models.families import class_for
from minibert.models.tokenizer_beside import open_tokenizer_of

if TYPE_CHECKING:
    from minibert.tokenizers.base import PretrainedTokenizer


def open_both(folder: str | Path, objective: str) -> tuple[Model, PretrainedTokenizer]:
    """Open a run or checkpoint folder as the class that learns `objective`, with the tokenizer beside it.

    The small files are read first: whether they fit together is known before any weight is read.

    Raises
    ------
    CheckpointError
        If the folder holds no such model.
    DataError
        If it holds no tokenizer that can be read, or one with more tokens than the model has.
    """
    cls = class_for(folder, objective)
    tokenizer = open_tokenizer_of(cls.config_class.from_pretrained(folder), folder)
    return cls.from_pretrained(folder), tokenizer
