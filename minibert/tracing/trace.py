"""The trace of everything that ran inside a `with` block."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minibert.dispatch import Call, watch
from minibert.errors import TraceError
from minibert.tracing.place import Names, address, calling_frame, forward_place, model_params
from minibert.tracing.profile import profile
from minibert.tracing.record import BACKWARD, Record, record
from minibert.tracing.table import Table
from minibert.work import arrays_in


class Trace:
    """Every op that ran, in order: an op that calls others stands before them. Made by `trace`."""

    def __init__(self, model: Any = None) -> None:
        self._names = None if model is None else Names(model.params)
        self._records: list[Record] = []  # as they ended
        self._made_at: dict[tuple[int, int], str] = {}  # address of an output -> its place
        self._made_cache: dict[int, Record] = {}  # id of a cache -> the forward that returned it
        self._replace: dict[tuple[str, str], Callable] = {}
        self._thread = threading.get_ident()
        self._ordered: list[Record] = []

    # What is seen while it runs ----------------------------------------------------------------

    def replace(self, place: str, function: Callable[[np.ndarray], np.ndarray], op: str | None = None) -> None:
        """From now on, let `function(output)` go on in the place of the output of the forward op at `place`.

        Parameters
        ----------
        place : str
            Such as "encoder.layers.0.attention", whose output is (B, H, T, K): before the heads are merged.
        function : callable
            Gets a copy of the output, which it may change, and returns an array of the same shape.
        op : str, optional
            Only of the op of this name, where several run at one place.

        The backward pass goes on as if the op had computed what it was replaced by.
        """
        self._replace[place, op or ""] = function

    def _see(self, call: Call) -> Any:
        if threading.get_ident() != self._thread:
            return None
        start = time.perf_counter()
        place = self._place(call)
        result = self._replaced(call, place)
        if result is not None:
            call = call._replace(result=result)
        self._keep(record(call, place), start)
        return result

    def _place(self, call: Call) -> str:
        if call.name.endswith(BACKWARD):
            forward = self._made_cache.get(id(call.args[1]))
            return forward.place if forward else ""
        frame = calling_frame()
        params = model_params(frame)
        if params is not None and (self._names is None or self._names.params is not params):
            self._names = Names(params)
        return forward_place([call.args, call.kwargs], frame, self._names or Names({}), self._made_at)

    def _replaced(self, call: Call, place: str) -> Any:
        function = self._replace.get((place, call.name)) or self._replace.get((place, ""))
        if function is None or call.name.endswith(BACKWARD):
            return None
        output, cache = call.result
        new = np.asarray(function(np.array(output)), dtype=output.dtype)
        if new.shape != output.shape:
            raise TraceError(f"{place}: replaced by shape {new.shape}, but the output has {output.shape}")
        return new, cache

    def _keep(self, made: Record, start: float) -> None:
        if made.is_backward:
            made.forward = self._made_cache.get(id(made.cache))
            if made.forward is not None:
                made.forward.backward = made
        elif made.cache is not None:
            self._made_cache[id(made.cache)] = made
            for array in arrays_in(made.call.result[0]):
                self._made_at[address(array)] = made.place
        self._records.append(made)
        made.overhead = time.perf_counter() - start

    # What came of it -----------------------------------------------------------------------------

    @property
    def records(self) -> list[Record]:
        """All ops in the order in which they began."""
        if len(self._ordered) != len(self._records):
            self._ordered = _nested(self._records)
        return self._ordered

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, place: str) -> Record:
        """Return the forward op at a place: of several the last that is not inside of another there."""
        found = [r for r in self.records if r.place == place and not r.is_backward]
        if not found:
            raise TraceError(f"no op ran at {place!r}: choose one of {self._near(place)}")
        depth = min(r.depth for r in found)
        return [r for r in found if r.depth == depth][-1]

    def at(self, place: str) -> list[Record]:
        """Return all ops at a place and in what is below it, forward and backward."""
        return [r for r in self.records if f"{r.place}.".startswith(f"{place}.")]

    @property
    def places(self) -> list[str]:
        """The places where ops ran, in order."""
        return list(dict.fromkeys(r.place for r in self.records if r.place))

    def activation(self, place: str) -> np.ndarray:
        """Return the output of the forward op at a place."""
        return self[place].output

    def gradient(self, place: str) -> np.ndarray:
        """Return the gradient of the loss by the output of the forward op at a place."""
        backward = self[place].backward
        if backward is None:
            raise TraceError(f"no backward pass reached {place!r}")
        return next(iter(backward.inputs.values()))

    def table(self) -> Table:
        """Return every op with its place, shapes, time, FLOPs and bytes."""
        rows = [
            (
                str(i),
                "  " * r.depth + r.name,
                r.place,
                r.shapes(),
                f"{1e3 * r.seconds:.3f}",
                f"{r.flops / 1e6:.3f}" if r.flops else "",
                f"{r.bytes / 1e6:.3f}",
            )
            for i, r in enumerate(self.records)
        ]
        return Table(("", "op", "place", "shapes", "ms", "MFLOP", "MB"), rows, frozenset({0, 4, 5, 6}))

    def profile(self, ceiling: float | None = None) -> Table:
        """Return the time, GFLOP/s and GB/s of each kind of op: see `minibert.tracing.profile`."""
        return profile(self.records, ceiling)

    def _near(self, place: str) -> str:
        parent = place.rpartition(".")[0]
        near = [p for p in self.places if p.startswith((place, parent))] or self.places
        return ", ".join(near[:8]) + (", ..." if len(near) > 8 else "")


@contextmanager
def trace(model: Any = None) -> Iterator[Trace]:
    """Record every op that this thread runs inside a `with` block.

        with minibert.trace() as t:
            model.loss_and_grads(**batch)
        print(t.table())
        t["encoder.layers.0.attention"].cache.probs

    Parameters
    ----------
    model : Model, optional
        Whose parameters name the places. It is found by itself unless the functions of `minibert.blocks` and
        `minibert.models` are called directly.

    Outside of the block nothing is recorded, and nothing costs anything. What the trace holds stays in memory as
    long as the trace: all activations and gradients of what ran.
    """
    made = Trace(model)
    with watch(made._see):
        yield made


def _nested(ended: list[Record]) -> list[Record]:
    """Order records by their beginning, and find out which ran inside of which."""
    ordered = sorted(ended, key=lambda r: r.call.start)
    open_records: list[Record] = []
    for r in ordered:
        r.parts = []
        while open_records and r.call.start >= open_records[-1].call.start + open_records[-1].call.seconds:
            open_records.pop()
        r.depth = len(open_records)
        if open_records:
            open_records[-1].parts.append(r)
        open_records.append(r)
    for r in reversed(ordered):  # the innermost first
        r.seconds = r.call.seconds - sum(_overhead(part) for part in r.parts)
    return ordered


def _overhead(r: Record) -> float:
    return r.overhead + sum(_overhead(part) for part in r.parts)
