"""Which rows train and which test: at random, or so that equal texts stay on one side."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from minibert.errors import ConfigError, DataError


def train_test_rows(
    n: int, test_size: float | int, seed: int, shuffle: bool, contents: Sequence[Iterable] | None
) -> tuple[list[int], list[int]]:
    """Return the rows of both sides. Raises `ConfigError` or `DataError` if one would be empty."""
    n_test = _size(n, test_size)
    if contents is not None:
        test, train = split_by_content([content_key(*content) for content in contents], [n_test], seed)
    else:
        order = np.random.default_rng(seed).permutation(n).tolist() if shuffle else list(range(n))
        train, test = order[: n - n_test], order[n - n_test :]
    if not train or not test:
        raise DataError(f"{n} rows cannot be split into {len(train)} to train on and {len(test)} to test on: add rows")
    return train, test


def split_by_content(keys: Sequence[str], sizes: Sequence[int], seed: int) -> list[list[int]]:
    """Return rows in parts of at least the given sizes, and the rest; rows of one key are in the same part.

    Keys are ordered by their `position` and fill one part after the other. So the order of the rows does not matter,
    and each part is shuffled.
    """
    rows = defaultdict(list)
    for row, key in enumerate(keys):
        rows[key].append(row)
    parts: list[list[int]] = [[] for _ in range(len(sizes) + 1)]
    part = 0
    for key in sorted(rows, key=lambda key: (position(key, seed), key)):
        while part < len(sizes) and len(parts[part]) >= sizes[part]:
            part += 1
        parts[part] += rows[key]
    return parts


def content_key(*values: object) -> str:
    """Return what counts as the content of texts: without case, white space as single spaces."""
    return "\0".join(" ".join(str(value).split()).casefold() for value in values)


def position(key: str, seed: int) -> float:
    """Return where a text stands, within 0 .. 1: by a hash of the seed and its content key, so as if at random."""
    digest = hashlib.blake2b(f"{seed}\n{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _size(n: int, size: float | int) -> int:
    if isinstance(size, bool) or (isinstance(size, float) and not 0 < size < 1) or size <= 0:
        raise ConfigError(f"test_size must be a share between 0 and 1 or a number of rows, but is {size}")
    if isinstance(size, int) and size >= n:
        raise DataError(f"test_size is {size}, but there are {n} rows: leave some to train on")
    return math.ceil(size * n) if isinstance(size, float) else size
