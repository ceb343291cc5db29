"""Gradients through a model without a head, for those who write the head themselves."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from minibert.blocks.heads import PoolerCache, pooler, pooler_backward
from minibert.errors import DataError
from minibert.frozen import wanted
from minibert.models.outputs import EncoderOutput
from minibert.ops import dropout_key as make_key
from minibert.tree import Tree, tree_map


class OutputCache(NamedTuple):
    shape: tuple[int, ...]  # (B, T, D) of the last hidden state
    body: Any  # cache
    pooler: PoolerCache


class OwnHead:
    """`forward` and `backward` of a body with a pooler: where a head of one's own begins.

        output, cache = model.forward(input_ids, attention_mask, dropout_key=(seed, step))
        ...                                   # the head: its forward, its loss, its backward to dpooled (B, D)
        grads = model.backward(cache, dpooler_output=dpooled)

    `grads` are a tree like `model.params`, for `AdamW`.
    """

    def forward(
        self,
        input_ids: ArrayLike,
        attention_mask: ArrayLike | None = None,
        token_type_ids: ArrayLike | None = None,
        dropout_key: tuple[int, int] | None = None,
    ) -> tuple[EncoderOutput, OutputCache]:
        """Like a call, for a head of your own: also return what `backward` needs.

        Parameters
        ----------
        input_ids, attention_mask, token_type_ids : (B, T)
            As for a call.
        dropout_key : (seed, step), optional
            Which units to drop. None: no dropout.
        """
        if type(self).backward is not OwnHead.backward:
            raise DataError(f"{type(self).__name__} has a head already: use losses_and_grads, or a class without head")
        key = None if dropout_key is None else make_key(*dropout_key)
        inputs = self.check(input_ids, attention_mask, token_type_ids)
        hidden, cache = self.body(inputs, self.params, self.config, key)
        pooled, pooler_cache = pooler(hidden[-1][:, 0], self.params["pooler"])  # (B, D)
        return EncoderOutput(hidden[-1], pooled), OutputCache(hidden[-1].shape, cache, pooler_cache)

    def backward(
        self,
        cache: OutputCache,
        dlast_hidden_state: np.ndarray | None = None,
        dpooler_output: np.ndarray | None = None,
    ) -> Tree:
        """Return the gradients of a loss by every parameter that may train, from those by the outputs of `forward`.

        The last hidden state is an output and what the pooler reads: where both have a gradient, they add up.

        Parameters
        ----------
        cache : of `forward`
        dlast_hidden_state : (B, T, D), optional
        dpooler_output : (B, D), optional
            None: the loss does not depend on it.
        """
        dhidden = np.zeros(cache.shape, self.dtype)  # (B, T, D)
        if dlast_hidden_state is not None:
            dhidden += dlast_hidden_state
        dpooler = tree_map(np.zeros_like, self.params["pooler"])
        if dpooler_output is not None:
            dfirst, dpooler = pooler_backward(dpooler_output, cache.pooler)  # (B, D)
            dhidden[:, 0] += dfirst
        return wanted({**self.body_backward(dhidden, cache.body), "pooler": dpooler}, self.params)
