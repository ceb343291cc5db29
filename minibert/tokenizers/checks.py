"""What must hold in a tokenizer's files before the library reads them: there it would panic, or pass in silence."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from minibert.errors import DataError

LARGEST_ID = 10_000_000  # a larger vocabulary is a damaged file: tables of its size would fill the memory


def check_vocabulary(path: Path, vocab: object) -> dict[str, int]:
    """Return `vocab` if it maps tokens to different ids of a sane size."""
    if not isinstance(vocab, dict) or not vocab:
        raise DataError(f"{path}: holds no vocabulary, an object that gives each token its id")
    owner: dict[int, str] = {}
    for token, id in vocab.items():
        if type(id) is not int or not 0 <= id < LARGEST_ID:
            raise DataError(
                f"{path}: the token {token!r} has the id {id!r}; ids are integers from 0 to {LARGEST_ID - 1}"
            )
        if id in owner:
            raise DataError(f"{path}: the tokens {owner[id]!r} and {token!r} both have the id {id}; mend the file")
        owner[id] = token
    return vocab


def check_merges(path: Path, merges: Iterable[tuple[object, str]], vocab: dict[str, int], prefix: str = "") -> list:
    """Return the pairs if they and what they merge into are in the vocabulary; `merges` gives (merge, place)."""
    pairs = []
    for merge, place in merges:
        pair = merge.split(" ") if isinstance(merge, str) else merge
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(isinstance(t, str) and t for t in pair):
            raise DataError(f"{path}, {place}: {merge!r} is not a merge, two tokens with a space between them")
        left, right = pair
        if not right.startswith(prefix):
            raise DataError(f"{path}, {place}: {right!r} does not begin with {prefix!r}, as what follows a piece must")
        for token in (left, right, left + right.removeprefix(prefix)):
            if token not in vocab:
                raise DataError(
                    f"{path}, {place}: {token!r} is not in the vocabulary; do the two files belong together?"
                )
        pairs.append((left, right))
    return pairs


def check_tokenizer_json(path: Path, content: dict[str, Any]) -> None:
    """Refuse a `tokenizer.json` whose vocabulary, merges or added tokens do not fit together."""
    model = content.get("model")
    if not isinstance(model, dict) or not isinstance(content.get("added_tokens", []), list):
        raise DataError(f"{path}: not a tokenizer file, it describes no model; is it the right file?")
    if isinstance(model.get("vocab"), list):
        raise DataError(
            f"{path}: a {model.get('type', 'Unigram')} tokenizer, which is not supported; use WordPiece or BPE"
        )
    if "vocab" not in model:
        raise DataError(f"{path}: not a tokenizer file, its model has no vocabulary; is it the right file?")
    vocab = check_vocabulary(path, model["vocab"]) if model["vocab"] else {}
    prefix = model.get("continuing_subword_prefix") or ""
    if isinstance(model.get("merges"), list) and isinstance(prefix, str):
        places = ((merge, f"merge {i}") for i, merge in enumerate(model["merges"], 1))
        check_merges(path, places, vocab, prefix)
    _check_template(path, content.get("post_processor"))


def _check_template(path: Path, processor: object) -> None:
    """Refuse a template that adds a special token without saying which id it has."""
    if not isinstance(processor, dict):
        return
    for part in _of_kind(list, processor.get("processors")):  # of a sequence
        _check_template(path, part)
    described = _of_kind(dict, processor.get("special_tokens"))
    for piece in (*_of_kind(list, processor.get("single")), *_of_kind(list, processor.get("pair"))):
        name = _of_kind(dict, _of_kind(dict, piece).get("SpecialToken")).get("id")
        if isinstance(name, str) and name not in described:
            raise DataError(f"{path}: the template adds {name!r}, which its special_tokens do not describe")


def _of_kind(kind: type, value: object) -> Any:
    """Return `value`, or an empty one: what is of another kind is for the library to refuse."""
    return value if isinstance(value, kind) else kind()
