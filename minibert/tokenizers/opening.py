"""A tokenizer with its settings out of a checkpoint folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minibert.errors import DataError, MinibertError
from minibert.tokenizers.files import find_file, read_backend, read_config
from minibert.tokenizers.panics import explained
from minibert.tokenizers.special_tokens import ROLES

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from minibert.tokenizers.base import PretrainedTokenizer

SETTINGS = ("model_max_length", "padding_side", "truncation_side", "clean_up_tokenization_spaces", *ROLES)


def open_tokenizer(
    class_of: Callable[[Tokenizer], type[PretrainedTokenizer]], path: str | Path, options: dict[str, Any]
) -> PretrainedTokenizer:
    """Open the files at `path` as the class that `class_of` names; `options` go before the configuration there."""
    file = find_file(path)
    config = read_config(file.parent)
    if "do_lower_case" in options:
        config["do_lower_case"] = options.pop("do_lower_case")
    backend = read_backend(file, config)
    settings = {name: config[name] for name in SETTINGS if config.get(name) is not None}
    try:
        tokenizer = class_of(backend)(backend, **settings | options)
    except MinibertError as error:
        raise type(error)(f"{file}: {error}") from error
    if config.get("model_input_names"):
        tokenizer.model_input_names = tuple(config["model_input_names"])
    _try(file, backend)
    return tokenizer


def _try(file: Path, backend: Tokenizer) -> None:
    """Encode and decode something: a template that does not fit shall fail here, where the file is known."""
    with explained(DataError, f"{file}: the tokenizer cannot be used"):
        ids = backend.encode("a").ids + backend.encode("a", "b").ids
        backend.decode(ids)
    if any(backend.id_to_token(id) is None for id in ids):
        raise DataError(f"{file}: its template adds ids outside the vocabulary; mend the file or fetch it again")
