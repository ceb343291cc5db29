"""One op that ran: name, place, numbers in and out, time and work."""

import inspect
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minibert.dispatch import REFERENCE, Call
from minibert.work import arrays_in, backward_flops, distinct_bytes, forward_flops

BACKWARD = "_backward"
WITHOUT_GRADIENT = ("ids", "labels", "mask")  # integers and masks


@dataclass(eq=False)
class Record:
    """One op of a trace.

    Attributes
    ----------
    name : str
        Of the op, such as "attention" or "attention_backward".
    place : str
        In the model, such as "encoder.layers.0.attention"; "" if unknown.
    inputs : dict
        The arguments by name, without a backward's cache. Parameters among them are the arrays themselves.
    outputs : dict
        The results by name, copies: models add to some of them later. "dx" is the loss's gradient by "x".
    cache
        What a forward op kept for its backward, or a backward op was given.
    seconds : float
        How long it ran, with the ops that it called, without what the trace itself took.
    depth : int
        0, or how many ops it is inside of: `add_norm` calls `layer_norm`.
    parts : list of Record
        The ops that it called.
    forward, backward : Record or None
        The other one of the pair, if it is in the trace.
    """

    name: str
    place: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    cache: Any
    seconds: float
    call: Call = field(repr=False)
    overhead: float = 0.0  # seconds that the trace took for this record
    depth: int = 0
    parts: list["Record"] = field(default_factory=list, repr=False)
    forward: "Record | None" = field(default=None, repr=False)
    backward: "Record | None" = field(default=None, repr=False)

    @property
    def is_backward(self) -> bool:
        """Whether it belongs to the backward pass."""
        return self.name.endswith(BACKWARD)

    @property
    def output(self) -> Any:
        """The first of the outputs, and of most forward ops the only one."""
        return next(iter(self.outputs.values()), None)

    @property
    def flops(self) -> int:
        """What it must compute (see `minibert.work`); 0 for a backward whose forward is not in the trace."""
        if not self.is_backward:
            return forward_flops(self.name, self.inputs)
        return 0 if self.forward is None else backward_flops(self.forward.name, self.forward.inputs)

    @property
    def bytes(self) -> int:
        """What it must read and write at least: every input and output once; a backward reads its cache too."""
        return distinct_bytes([self.inputs, self.outputs, self.cache if self.is_backward else None])

    def shapes(self) -> str:
        """Return "x (2, 5, 8), weight (8, 24), bias (24,) -> y (2, 5, 24)"."""
        return f"{_shapes(self.inputs)} -> {_shapes(self.outputs)}"


def record(call: Call, place: str) -> Record:
    """Make a record of a call."""
    arguments = inspect.signature(REFERENCE[call.name]).bind(*call.args, **call.kwargs).arguments
    if call.name.endswith(BACKWARD):
        cache = arguments.pop("cache")
        results = call.result if isinstance(call.result, tuple) else (call.result,)
        outputs = dict(zip(gradient_names(call.name), results, strict=False))
    elif isinstance(call.result, tuple):
        *results, cache = call.result
        outputs = {output_name(call.name): results[0]}
    else:  # the ops of the optimizer
        cache, outputs = None, {} if call.result is None else {"result": call.result}
    outputs = {n: np.array(v) if isinstance(v, np.ndarray) else v for n, v in outputs.items() if v is not None}
    return Record(call.name, place, dict(arguments), outputs, cache, call.seconds, call)


def gradient_names(backward: str) -> list[str]:
    """Return dx, dweight, ...: gradients come in the order of the forward's arguments."""
    arguments = inspect.signature(REFERENCE[backward.removesuffix(BACKWARD)]).parameters
    return [f"d{name}" for name in arguments if name not in WITHOUT_GRADIENT]


def output_name(forward: str) -> str:
    """Return what the op's own docstring calls its output: "->  y (..., D), cache"."""
    found = re.search(r"->\s+(\w+)", REFERENCE[forward].__doc__ or "")
    return found[1] if found else "y"


def shape_of(value: Any) -> str:
    """Return the shape of an array or a number as text; of a list of arrays their number."""
    return f"[{sum(1 for _ in arrays_in(value))} arrays]" if isinstance(value, list) else str(np.shape(value))


def _shapes(values: dict[str, Any]) -> str:
    shown = (n for n, v in values.items() if isinstance(v, (np.ndarray, list, np.floating)) or n == "dloss")
    return ", ".join(f"{name} {shape_of(values[name])}" for name in shown)
