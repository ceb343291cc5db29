"""A model that reads on: what was read stays in a key-value cache."""

from typing import Any

import numpy as np

from minibert.generation.prompts import Prompts
from minibert.generation.settings import GenerationSettings


class Reader:
    """Reads a batch of texts token by token.

    Parameters
    ----------
    model : CausalLM
    prompts : Prompts
        What will be read first: the cache is made for its shape.
    s : GenerationSettings
    """

    def __init__(self, model: Any, prompts: Prompts, s: GenerationSettings) -> None:
        B, T = prompts.ids.shape
        self.model, self.room = model, model.config.max_length
        size = min(self.room, T + s.max_new_tokens - 1)
        self.past = model.new_past(B, size)
        self.ids = np.zeros((B, 0), np.int64)  # (B, S) what was read
        self.mask = prompts.mask  # (B, S)
        self.padded = not prompts.mask.all()
        self.fresh = True

    def read(self, tokens: np.ndarray) -> np.ndarray:
        """Read tokens (B, T) behind those before, and return the logits of the next one, (B, V)."""
        if not self.fresh:
            self.mask = np.concatenate([self.mask, np.ones(tokens.shape, bool)], axis=1)  # (B, S)
        self.fresh = False
        self.ids = np.concatenate([self.ids, tokens], axis=1)  # (B, S)
        if self.past.length + tokens.shape[1] > self.room:
            tokens = self._slide()
        mask = self.mask if self.padded else None
        logits, self.past = self.model.decode(tokens, self.past, mask)
        return logits

    def _slide(self) -> np.ndarray:
        """Forget all but the last half of the positions, and return that half: it is to be read anew."""
        keep = max(1, self.room // 2)
        self.ids, self.mask = self.ids[:, -keep:], self.mask[:, -keep:]
        self.padded = not self.mask.all()
        self.past = self.past._replace(length=0)
        return self.ids
