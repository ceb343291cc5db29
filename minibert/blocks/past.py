"""The keys and values of what was read before, so that a text goes on without being read again.

In causal attention they do not depend on what follows. So a model that writes a text token by token
keeps them, and each new token costs one position's work instead of a whole text's. For inference only.
"""

from typing import NamedTuple

import numpy as np


class LayerPast(NamedTuple):
    """One layer's part of a `KeyValueCache`."""

    keys: np.ndarray  # (B, H, S_max, K) the first `length` are filled
    values: np.ndarray  # (B, H, S_max, K)
    length: int

    def append(self, k: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Write k, v (B, H, T, K) behind what is there; return all (B, H, S, K), views with S = length + T."""
        S = self.length + k.shape[2]
        self.keys[:, :, self.length : S] = k
        self.values[:, :, self.length : S] = v
        return self.keys[:, :, :S], self.values[:, :, :S]


class KeyValueCache(NamedTuple):
    """The keys and values of all layers, in memory for S_max positions: a new token copies nothing but its own."""

    arrays: np.ndarray  # (L, 2, B, H, S_max, K) keys and values, written in place
    length: int  # how many of the S_max positions are filled

    @classmethod
    def empty(cls, layers: int, batch: int, heads: int, positions: int, width: int, dtype: np.dtype) -> "KeyValueCache":
        """Return a cache of nothing, with room for that many positions; the system hands out the memory as it fills."""
        return cls(np.empty((layers, 2, batch, heads, positions, width), dtype), 0)

    def layer(self, i: int) -> LayerPast:
        """Return what layer i keeps."""
        return LayerPast(*self.arrays[i], self.length)

    def longer(self, tokens: int) -> "KeyValueCache":
        """Return the cache after every layer has appended that many tokens."""
        return self._replace(length=self.length + tokens)
