"""A tokenizer out of its files: `tokenizer.json`, or `vocab.txt`, or `vocab.json` with `merges.txt`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minibert.errors import DataError
from minibert.files import LARGEST_LIST, read_object, read_text
from minibert.tokenizers import backends
from minibert.tokenizers.checks import check_merges, check_tokenizer_json, check_vocabulary
from minibert.tokenizers.panics import explained
from minibert.tokenizers.special_tokens import ROLES

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MOST_LINES = 1_000_000  # of a vocabulary, or of merges
KINDS = ("tokenizer.json", "vocab.txt", "vocab.json")
SETTINGS = {
    "model_max_length": int | float,
    "padding_side": str,
    "truncation_side": str,
    "strip_accents": bool,
    "model_input_names": list,
}


def find_file(path: str | Path) -> Path:
    """Return the file that holds the tokenizer: `path` itself, or the best one of a folder."""
    path = Path(path)
    if path.is_dir():
        found = [path / name for name in KINDS if (path / name).is_file()]
        if not found:
            raise DataError(
                f"{path}: this folder holds neither tokenizer.json nor vocab.txt nor vocab.json with merges.txt"
            )
        return found[0]
    if not path.is_file():
        raise DataError(
            f"{path}: no such tokenizer; give a tokenizer.json, a vocab.txt, a vocab.json or a folder that holds one"
        )
    return path


def read_config(folder: Path) -> dict[str, Any]:
    """Return what `tokenizer_config.json` and the older `special_tokens_map.json` say, tokens as plain strings."""
    config: dict[str, Any] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            config |= read_object(folder / name, DataError)
    for role in ROLES:
        if isinstance(config.get(role), dict):  # the description of an AddedToken
            config[role] = config[role].get("content")
    for name, kind in {**dict.fromkeys(ROLES, str), **SETTINGS}.items():
        if config.get(name) is not None and not isinstance(config[name], kind):
            raise DataError(f"{folder / 'tokenizer_config.json'}: {name} cannot be {config[name]!r}; mend the file")
    return config


def read_backend(path: Path, config: dict[str, Any]) -> Tokenizer:
    """Return the library's tokenizer that a file describes, without truncation and padding: batches are ours to shape.

    Raises
    ------
    DataError
        The file is damaged, or does not fit the files beside it.
    """
    if path.name == "vocab.json":
        return _with_added(path, _from_vocab_and_merges(path, config))
    return _from_tokenizer_json(path) if path.suffix == ".json" else _with_added(path, _from_vocab_txt(path, config))


def _from_tokenizer_json(path: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    content = read_object(path, DataError, much=True)
    check_tokenizer_json(path, content)
    with explained(DataError, f"{path}: not a tokenizer file that can be read"):
        tokenizer = Tokenizer.from_str(json.dumps(content))
    for added in content.get("added_tokens", []):
        given = tokenizer.token_to_id(added["content"])
        if given != added["id"]:
            raise DataError(
                f"{path}: the added token {added['content']!r} has the id {added['id']}, which leaves a gap"
            )
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _from_vocab_txt(path: Path, config: dict[str, Any]) -> Tokenizer:
    tokens = _lines(path)
    while tokens and not tokens[-1]:
        tokens.pop()
    vocab = {token: id for id, token in enumerate(tokens)}
    if len(vocab) < len(tokens):
        twice = next(token for id, token in enumerate(tokens) if vocab[token] != id)
        raise DataError(f"{path}, line {vocab[twice] + 1}: the token {twice!r} stands there a second time")
    lowercase = bool(config.get("do_lower_case", True)) if config else _is_uncased(tokens)
    with explained(DataError, f"{path}: no WordPiece vocabulary"):
        return backends.wordpiece(
            vocab, lowercase, config.get("strip_accents"), bool(config.get("tokenize_chinese_chars", True))
        )


def _lines(path: Path) -> list[str]:
    text = read_text(path, DataError, LARGEST_LIST)
    if (count := text.count("\n")) > MOST_LINES:
        raise DataError(f"{path}: {count:,} lines are too many; is it the right file?")
    return [line.rstrip("\r") for line in text.split("\n")]


def _is_uncased(tokens: list[str]) -> bool:
    return all(token == token.lower() for token in tokens if not (token.startswith("[") and token.endswith("]")))


def _from_vocab_and_merges(path: Path, config: dict[str, Any]) -> Tokenizer:
    vocab = check_vocabulary(path, read_object(path, DataError, much=True))
    merges_file = path.with_name("merges.txt")
    if not merges_file.is_file():
        raise DataError(f"{merges_file}: missing; a vocab.json needs the merges.txt that belongs to it beside it")
    lines = enumerate(_lines(merges_file), 1)
    merges = ((line, f"line {i}") for i, line in lines if line and not (i == 1 and line.startswith("#version")))
    pairs = check_merges(merges_file, merges, vocab)
    with explained(DataError, f"{path}: no BPE vocabulary"):
        return backends.byte_bpe(vocab, pairs, bool(config.get("add_prefix_space", False)))


def _with_added(path: Path, tokenizer: Tokenizer) -> Tokenizer:
    """Add the tokens of an `added_tokens.json`, which goes with the vocabulary files of older checkpoints."""
    extra = path.with_name("added_tokens.json")
    if extra.is_file():
        ids = check_vocabulary(extra, read_object(extra, DataError, much=True))
        for token, id in sorted(ids.items(), key=lambda item: item[1]):
            tokenizer.add_tokens([token])
            if tokenizer.token_to_id(token) != id:
                raise DataError(f"{extra}: the token {token!r} has the id {id}, which does not follow on {path.name}")
    return tokenizer
