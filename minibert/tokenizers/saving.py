"""A tokenizer into the files of a checkpoint folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minibert.errors import DataError
from minibert.files import write_json, write_whole
from minibert.tokenizers.shaping import LIMIT

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from minibert.tokenizers.base import PretrainedTokenizer


def save(tokenizer: PretrainedTokenizer, folder: Path) -> None:
    """Write `tokenizer.json`, `tokenizer_config.json` and the vocabulary files of the tokenizer's kind."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = tokenizer.backend_tokenizer.to_str(pretty=True)
        for name, content in {"tokenizer.json": text, **tokenizer.vocabulary_files()}.items():
            _write(folder / name, content)
        write_json(folder / "tokenizer_config.json", _config(tokenizer))
    except OSError as error:
        raise DataError(f"{folder}: the tokenizer cannot be written there ({error.strerror or error})") from error


def _config(tokenizer: PretrainedTokenizer) -> dict[str, Any]:
    config = {
        "tokenizer_class": tokenizer.tokenizer_class,
        "clean_up_tokenization_spaces": tokenizer.clean_up_tokenization_spaces,
        "padding_side": tokenizer.padding_side,
        "truncation_side": tokenizer.truncation_side,
        "model_input_names": list(tokenizer.model_input_names),
        **tokenizer.special_tokens_map,
        **tokenizer.own_settings(),
    }
    if tokenizer.model_max_length < LIMIT:
        config["model_max_length"] = tokenizer.model_max_length
    return config


def _write(path: Path, text: str) -> None:
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8", newline="\n"))


def vocab_txt(backend: Tokenizer) -> str:
    """One token a line, in the order of the ids."""
    by_id = sorted((id, token) for token, id in backend.get_vocab().items())
    return "".join(f"{token}\n" for _, token in by_id)


def vocab_json(backend: Tokenizer) -> str:
    """A JSON object, in the order of the ids."""
    return json.dumps(dict(sorted(backend.get_vocab().items(), key=lambda item: item[1])), ensure_ascii=False) + "\n"


def merges_txt(backend: Tokenizer) -> str:
    """One merge a line, the earliest learned first."""
    merges = json.loads(backend.to_str())["model"]["merges"]
    lines = (merge if isinstance(merge, str) else " ".join(merge) for merge in merges)
    return "".join(f"{line}\n" for line in ("#version: 0.2", *lines))
