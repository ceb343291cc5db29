"""The tokenizer in the folder of a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from minibert.errors import DataError
from minibert.models.base import check_vocabulary
from minibert.models.config import Config
from minibert.tokenizers import AutoTokenizer

if TYPE_CHECKING:
    from minibert.tokenizers.base import PretrainedTokenizer


def open_tokenizer_of(config: Config, folder: str | Path) -> PretrainedTokenizer:
    """Open the tokenizer in a folder, which is for a model with that configuration; no weight is read for it.

    Raises
    ------
    DataError
        If there is none that can be read, or it has ids that the model does not have.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder)
    try:
        check_vocabulary(tokenizer, config)
    except DataError as error:
        raise DataError(f"{folder}: {error}") from error
    return tokenizer
