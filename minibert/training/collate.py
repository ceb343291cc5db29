"""Examples of different lengths become one batch: padding, no more than the longest needs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from minibert.errors import DataError
from minibert.ops import IGNORE_INDEX

RENAMED = {"label": "labels", "label_ids": "labels"}
PAD_VALUES = {"attention_mask": 0, "token_type_ids": 0, "labels": IGNORE_INDEX, "special_tokens_mask": 1}


class DataCollatorWithPadding:
    """Makes a batch of examples: each column as an array, padded to the longest example of the batch.

    Labels by token are padded with -100. A column `label` becomes `labels`. Where examples are padded already,
    columns that no example of the batch attends to are cut off, for they would only cost time.

    Parameters
    ----------
    tokenizer : optional
        Says what pads `input_ids`, and on which side. Without it `pad_token_id` does, on the right.
    pad_token_id : int
    """

    def __init__(self, tokenizer: Any = None, pad_token_id: int = 0) -> None:
        own = getattr(tokenizer, "pad_token_id", None)
        self.pad_token_id = pad_token_id if own is None else own
        self.left = getattr(tokenizer, "padding_side", "right") == "left"

    def __call__(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
        """Return {column: array (B, ...)} of B examples with the same columns.

        Raises
        ------
        DataError
            If an example lacks a column that the first has, or a column makes no array.
        """
        batch = {}
        for name in examples[0]:
            missing = next((i for i, example in enumerate(examples) if name not in example), None)
            if missing is not None:
                raise DataError(f"example {missing} of a batch has no {name}, but the first has")
            batch[RENAMED.get(name, name)] = [np.asarray(example[name]) for example in examples]
        if "input_ids" in batch and "attention_mask" not in batch:
            batch["attention_mask"] = [np.ones_like(ids) for ids in batch["input_ids"]]
        return self._trimmed({name: self._stack(name, rows) for name, rows in batch.items()})

    def _stack(self, name: str, rows: list[np.ndarray]) -> np.ndarray:
        """Rows (..., T_i)  ->  (B, ..., T), T the largest; numbers become (B,)."""
        if any(row.ndim != rows[0].ndim or row.shape[:-1] != rows[0].shape[:-1] for row in rows):
            raise DataError(f"the rows of {name} have the shapes {rows[0].shape} and others: they make no array")
        if any(row.dtype.kind not in "biuf" for row in rows):
            raise DataError(f"{name} is not made of numbers: leave it out, or turn it into numbers")
        if len({row.shape for row in rows}) == 1:
            return np.stack(rows)
        T = max(row.shape[-1] for row in rows)
        value = self.pad_token_id if name == "input_ids" else PAD_VALUES.get(name, 0)
        padded = np.full((len(rows), *rows[0].shape[:-1], T), value, np.result_type(*rows))
        for i, row in enumerate(rows):
            n = row.shape[-1]
            padded[i][..., T - n if self.left else 0 : T if self.left else n] = row
        return padded

    @staticmethod
    def _trimmed(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Cut the columns at the right end that are padding in all rows."""
        mask = batch.get("attention_mask")
        if mask is None or mask.ndim < 2:
            return batch
        used = np.flatnonzero(mask.any(axis=tuple(range(mask.ndim - 1))))
        T = used[-1] + 1 if len(used) else 1
        return {name: a[..., :T] if a.shape == mask.shape else a for name, a in batch.items()}
