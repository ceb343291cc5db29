"""Sentences of like length together, so many tokens at a time."""

from collections.abc import Iterator, Sequence

import numpy as np

from minibert.errors import ConfigError

BATCH_TOKENS = 1024  # large enough for the products, and small enough for the caches


def batches_by_length(lengths: Sequence[int], batch_size: int | None = None) -> Iterator[np.ndarray]:
    """Yield the numbers of the sentences of each batch: within a batch and over all of them, the shortest first.

    Parameters
    ----------
    lengths : sequence of int
        Tokens of each sentence, at least 1.
    batch_size : int, optional
        Sentences in a batch. None: as many as have `BATCH_TOKENS` tokens together, at least one.

    Raises
    ------
    ConfigError
        If `batch_size` is less than 1.
    """
    if batch_size is not None and batch_size < 1:
        raise ConfigError(f"batch_size must be at least 1, but is {batch_size}")
    order = np.argsort(lengths, kind="stable")  # (N,)
    ends = np.cumsum(np.asarray(lengths, np.int64)[order])  # (N,) tokens up to and with each sentence
    start = 0
    while start < len(order):
        before = ends[start - 1] if start else 0
        fit = int(np.searchsorted(ends, before + BATCH_TOKENS, "right")) if batch_size is None else start + batch_size
        stop = max(fit, start + 1)
        yield order[start:stop]
        start = stop
