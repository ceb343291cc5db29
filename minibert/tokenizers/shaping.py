"""Padding and truncation: what the arguments of a call ask of the library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import TYPE_CHECKING, NamedTuple

from minibert.errors import ConfigError
from minibert.tokenizers.panics import explained

if TYPE_CHECKING:
    from minibert.tokenizers.base import PretrainedTokenizer

UNLIMITED = int(1e30)  # `model_max_length` of a tokenizer that knows no limit
LIMIT = int(1e20)
PADDING = {
    False: None,
    None: None,
    "do_not_pad": None,
    True: "longest",
    "longest": "longest",
    "max_length": "max_length",
}
TRUNCATION = {
    False: None,
    None: None,
    "do_not_truncate": None,
    True: "longest_first",
    **{name: name for name in ("longest_first", "only_first", "only_second")},
}


class Shape(NamedTuple):
    """The arguments of a call that decide how long its rows are."""

    padding: bool | str | None = False
    truncation: bool | str | None = None
    max_length: int | None = None
    stride: int = 0
    pad_to_multiple_of: int | None = None
    padding_side: str | None = None


@contextmanager
def shaped(tokenizer: PretrainedTokenizer, shape: Shape, n_special: int) -> Iterator[None]:
    """Let the library pad and truncate as asked for in a `with` block, and no longer.

    `n_special` special tokens are added to a row. As users know it, `max_length` alone truncates, and a strategy
    that needs a length where neither the call nor the tokenizer has one does nothing.
    """
    padding = _choice("padding", shape.padding, PADDING)
    truncation = _choice("truncation", shape.truncation, TRUNCATION)
    if shape.max_length is not None and shape.padding is False and shape.truncation is None:
        truncation = "longest_first"
    length = _count("max_length", shape.max_length)
    if length is None and tokenizer.model_max_length < LIMIT:
        length = tokenizer.model_max_length
    multiple = _count("pad_to_multiple_of", shape.pad_to_multiple_of)
    if truncation and padding and length and multiple and length % multiple:
        raise ConfigError(f"max_length is {length}; truncated and padded to a multiple of {multiple}, it must be one")
    backend = tokenizer.backend_tokenizer
    try:
        if truncation and length is not None:
            _truncate(tokenizer, truncation, length, shape.stride, n_special)
        if padding == "longest" or (padding and length is not None):
            _pad(tokenizer, None if padding == "longest" else length, shape)
        yield
    finally:
        backend.no_truncation()
        backend.no_padding()


def _truncate(tokenizer: PretrainedTokenizer, strategy: str, length: int, stride: int, n_special: int) -> None:
    if length < n_special:
        raise ConfigError(f"max_length is {length}; it must be at least {n_special}, the number of special tokens")
    if not isinstance(stride, int) or not 0 <= stride < max(length - n_special, 1):
        raise ConfigError(f"stride is {stride!r}; it must be at least 0 and less than max_length - {n_special}")
    with explained(ConfigError, f"max_length {length} with stride {stride} cannot be"):
        tokenizer.backend_tokenizer.enable_truncation(
            max_length=length, stride=stride, strategy=strategy, direction=tokenizer.truncation_side
        )


def _pad(tokenizer: PretrainedTokenizer, length: int | None, shape: Shape) -> None:
    side = tokenizer.padding_side if shape.padding_side is None else shape.padding_side
    if side not in ("left", "right"):
        raise ConfigError(f"padding_side is {side!r}; it must be 'left' or 'right'")
    if tokenizer.pad_token is None:
        raise ConfigError(
            "this tokenizer has no padding token: set one first, for example tokenizer.pad_token = tokenizer."
            + ("eos_token" if tokenizer.eos_token else "unk_token")
        )
    tokenizer.backend_tokenizer.enable_padding(
        direction=side,
        pad_id=tokenizer.pad_token_id,
        pad_token=tokenizer.pad_token,
        length=length,
        pad_to_multiple_of=shape.pad_to_multiple_of,
    )


def _count(name: str, value: int | None) -> int | None:
    if value is not None and (type(value) is bool or not isinstance(value, Integral) or not 1 <= value < 2**31):
        raise ConfigError(f"{name} is {value!r}; it must be an integer of at least 1")
    return None if value is None else int(value)


def _choice(name: str, value: bool | str | None, known: dict) -> str | None:
    if not isinstance(value, bool | str | None) or value not in known:
        names = ", ".join(repr(key) for key in known if key is not None)
        raise ConfigError(f"{name} is {value!r}; it must be one of {names}")
    return known[value]
