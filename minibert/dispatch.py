"""Which implementation of an op runs, and who may watch it run.

Every function of `minibert.ops` marked `@op` is the reference. A backend may hold a twin: a
function of the same name and signature. A backward takes the cache as its second positional argument, and its
annotation names the cache's type. `@op` runs the active backend's twin where there is
one, and shows the call to whoever traces; models know of neither.
"""

import functools
import importlib
import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from minibert.errors import BackendError, MissingExtraError

REFERENCE: dict[str, Callable] = {}  # op name -> NumPy function
BACKENDS = ("numpy", "numba")

_backend = "numpy"
_twins: dict[str, Callable] = {}  # op name -> the active backend's function, where it has one
_watchers: list[Callable] = []
_grad: ContextVar[bool] = ContextVar("grad", default=True)
_once: ContextVar[bool] = ContextVar("once", default=False)


class Call(NamedTuple):
    """One op that ran, as a watcher sees it."""

    name: str
    args: tuple
    kwargs: dict[str, Any]
    result: Any
    seconds: float
    start: float  # on the clock of time.perf_counter: an op that calls others begins before them, and ends after


def op(function: Callable) -> Callable:
    """Register `function` as the reference implementation of the op that bears its name."""
    name = function.__name__
    REFERENCE[name] = function

    @functools.wraps(function)
    def run(*args, **kwargs):
        active = _twins.get(name, function)
        if name.endswith("_backward"):
            _check_cache(active, args[1])
        if not _watchers:
            return active(*args, **kwargs)
        return _watched(name, active, args, kwargs)

    return run


def _watched(name: str, active: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Run an op and show it to every watcher; what a watcher returns takes the result's place."""
    start = time.perf_counter()
    result = active(*args, **kwargs)
    call = Call(name, args, kwargs, result, time.perf_counter() - start, start)
    for watcher in _watchers:
        replacement = watcher(call)
        if replacement is not None:
            call = call._replace(result=replacement)
    return call.result


def _check_cache(function: Callable, cache: Any) -> None:
    """A cache may be opened only by a backward that was written for its type."""
    expected = function.__annotations__["cache"]
    if not isinstance(cache, expected):
        raise BackendError(
            f"{function.__name__} of the {_backend} backend expects a {expected.__module__}.{expected.__name__} "
            f"but got a {type(cache).__module__}.{type(cache).__name__}: run forward and backward on the same backend"
        )


def set_backend(name: str) -> None:
    """Run every op on backend `name` from now on, in all threads.

    Parameters
    ----------
    name : {"numpy", "numba"}
        "numpy" is the reference. "numba" runs the compiled twins of `minibert.kernels`; an op
        that has no twin yet runs its reference.

    Raises
    ------
    BackendError
        If there is no backend of that name.
    MissingExtraError
        If Numba is not installed.
    """
    global _backend, _twins
    if name not in BACKENDS:
        raise BackendError(f"no backend named {name!r}: choose one of {', '.join(BACKENDS)}")
    _twins = {} if name == "numpy" else _load_kernels()
    _backend = name


def get_backend() -> str:
    """Return the name of the active backend."""
    return _backend


@contextmanager
def backend(name: str) -> Iterator[None]:
    """Run every op on backend `name` inside a `with` block."""
    before = _backend
    set_backend(name)
    try:
        yield
    finally:
        set_backend(before)


@contextmanager
def watch(watcher: Callable[[Call], Any]) -> Iterator[None]:
    """Show `watcher` each op that runs inside a `with` block, after it ran.

    What it returns, unless that is None, goes on in the place of the op's result.
    """
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


@contextmanager
def no_grad() -> Iterator[None]:
    """Promise that no backward pass follows the ops that run inside a `with` block, as in evaluation.

    A backend may then leave out what it would only prepare for one. Results do not depend on the promise, and a
    backward that is called all the same is right, only slower. It holds for the thread (or task) that gives it.
    """
    token = _grad.set(False)
    try:
        yield
    finally:
        _grad.reset(token)


def grad_enabled() -> bool:
    """Return whether a backward pass may follow: False inside `no_grad`."""
    return _grad.get()


@contextmanager
def backward_once() -> Iterator[None]:
    """Promise that each backward pass inside a `with` block is the only one for its cache, as in training.

    Blocks may then let go of the caches of layers that they are done with, so that memory for the gradients is there
    when it is needed. Without the promise a cache stays whole, to be looked at or passed to backward again.
    """
    token = _once.set(True)
    try:
        yield
    finally:
        _once.reset(token)


def is_backward_once() -> bool:
    """Return whether caches may be used up: True inside `backward_once`, unless somebody watches and may look later."""
    return _once.get() and not _watchers


def _load_kernels() -> dict[str, Callable]:
    try:
        kernels = importlib.import_module("minibert.kernels")
    except ModuleNotFoundError as error:
        if error.name not in ("numba", "llvmlite"):
            raise
        raise MissingExtraError(
            f"the numba backend needs {error.name}: pip install numba, or use the numpy backend"
        ) from error
    return {name: twin for name, twin in vars(kernels).items() if inspect.isfunction(twin)}
