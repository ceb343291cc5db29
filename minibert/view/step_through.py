"""One training step to walk through: every op, forward then backward, with every number and what made it."""

from typing import Any

import numpy as np

from minibert.dispatch import backend
from minibert.ops import IGNORE_INDEX
from minibert.tokenizers.auto import with_face
from minibert.tracing import Record, Trace, trace
from minibert.tree import Tree
from minibert.view.explain import explain
from minibert.view.explained_data import explanation_data
from minibert.view.page import Page
from minibert.view.sources import source_of
from minibert.view.windows import Windows

LIMITS = (32, 24, 18, 14, 12, 10, 8, 6, 4)  # how many rows and columns of a large array are shown: the most that fit
ROOM = 3_400_000  # bytes of numbers; as text in a page they take a third more


class StepThrough(Page):
    """A slider over every op of one training step.

    For the op at hand it shows the formula, the source, inputs and outputs; a click on a number shows the numbers
    that made it. In Jupyter it shows itself (extra `lessons`), `to_html` writes it as a page.

    Parameters
    ----------
    model : Model
        With a loss. The step runs on the NumPy backend, and changes no parameter.
    batch : dict
        What `model.loss_and_grads` takes.
    tokenizer : PretrainedTokenizer or tokenizers.Tokenizer, optional
        Names tokens where the pointer is on one; without it they are numbers.
    dropout_key : (seed, step), optional
        None: no dropout.
    """

    def __init__(
        self,
        model: Any,
        batch: dict[str, Any],
        tokenizer: Any = None,
        dropout_key: tuple[int, int] | None = None,
    ) -> None:
        self.title = f"{type(model).__name__}, one training step"
        self.loss: float
        self.grads: Tree
        self.trace: Trace
        with backend("numpy"), trace() as self.trace:
            self.loss, self.grads = model.loss_and_grads(**batch, dropout_key=dropout_key)
        self._batch = {name: np.asarray(value) for name, value in batch.items()}
        self._vocab_size = model.config.vocab_size
        self._tokenizer = None if tokenizer is None else with_face(tokenizer)
        self._data: tuple[dict[str, Any], bytes] | None = None

    def data(self) -> tuple[dict[str, Any], bytes]:
        """Return what the page shows, for JSON, and the numbers: the largest windows that fit."""
        if self._data is None:
            for limit in LIMITS:
                self._data = self._with_windows(limit)
                if len(self._data[1]) <= ROOM:
                    break
        return self._data

    def _with_windows(self, limit: int) -> tuple[dict[str, Any], bytes]:
        vocabulary = self._shown_vocabulary(limit)
        windows = Windows(limit, {self._vocab_size: vocabulary})
        records = self.trace.records
        numbers = {id(record): i for i, record in enumerate(records)}
        steps = [
            {**step_data(record, windows), "parts": [numbers[id(part)] for part in record.parts]} for record in records
        ]
        arrays, packed = windows.pack()
        ids = self._batch["input_ids"]  # (B, T), or (B, C, T): C texts for an answer, which the model reads one by one
        ids = ids.reshape(-1, ids.shape[-1])
        known = sorted({*vocabulary, *ids.reshape(-1).tolist()} if self._vocab_size > limit else range(limit + 1))
        names = self._names([i for i in known if i < self._vocab_size])
        return {
            "view": "step_through",
            "title": self.title,
            "loss": float(self.loss),
            "steps": steps,
            "arrays": arrays,
            "sources": {name: source_of(name) for name in {record.name for record in records}},
            "tokens": [[names[int(i)] for i in row] for row in ids],
            "vocabulary": names,
            "vocab_size": self._vocab_size,
        }, packed

    def _shown_vocabulary(self, limit: int) -> list[int]:
        """The targets and the tokens of the batch, as many as are shown."""
        targets = self._batch.get("labels", np.zeros(0, int)).reshape(-1)
        first = [*targets[targets != IGNORE_INDEX].tolist(), *self._batch["input_ids"].reshape(-1).tolist()]
        in_range = [i for i in dict.fromkeys(first) if 0 <= i < self._vocab_size]
        return sorted(in_range[:limit])

    def _names(self, ids: list[int]) -> dict[int, str]:
        if self._tokenizer is None:
            return {i: f"token {i}" for i in ids}
        return dict(zip(ids, self._tokenizer.convert_ids_to_tokens(ids), strict=True))


def step_data(record: Record, windows: Windows) -> dict[str, Any]:
    """Return what the page shows of one op."""
    explained = explain(record)
    outputs = explained.outputs if explained else {}
    inside = explained.inside if explained else {}
    return {
        "name": record.name,
        "place": record.place,
        "back": record.is_backward,
        "ms": 1e3 * record.seconds,
        "mflop": record.flops / 1e6,
        "mb": record.bytes / 1e6,
        "inputs": [value_data(n, v, windows) for n, v in inputs_of(record).items()],
        "inside": [value_data(n, v, windows) | explanation_data(e, v, windows) for n, (v, e) in inside.items()],
        "outputs": [
            value_data(n, v, windows) | explanation_data(outputs.get(n), v, windows) for n, v in record.outputs.items()
        ],
    }


def inputs_of(record: Record) -> dict[str, Any]:
    """Return what an op read: of a backward op also the arrays in its cache. `into` was written to: it is the output.

    A key of None is worth telling: nothing is dropped.
    """
    inputs = {n: v for n, v in record.inputs.items() if n != "into" and (v is not None or n == "key")}
    if record.is_backward and hasattr(record.cache, "_asdict"):
        inputs |= {n: v for n, v in record.cache._asdict().items() if isinstance(v, np.ndarray)}
    return inputs


def value_data(name: str, value: Any, windows: Windows) -> dict[str, Any]:
    """Return an array's number, or a number as text."""
    if isinstance(value, (np.ndarray, np.generic)):
        return {"n": name, "a": windows.add(value)}
    return {"n": name, "v": str(value)}
