"""The comparisons of single ops, forward and backward, at the shapes of a BERT step.

A case makes one side at a time, "kernels", "numpy" or "torch", always from the same random numbers. Running a side
returns (y, gradients in the order of the arguments): tests compare the sides, the clock drops it.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minibert import dispatch, ops
from minibert.bench import flops
from minibert.bench.optimizer_case import adamw_side
from minibert.bench.product_cases import Product, product_side, step_products
from minibert.bench.rows import Target
from minibert.bench.sizes import Sizes
from minibert.bench.timing import Side

OPS = (
    "matmul",
    "linear",
    "linear_gelu",
    "feed_forward",
    "attention",
    "layer_norm",
    "add_norm",
    "linear_cross_entropy",
    "cross_entropy",
    "adamw",
    "embedding",
    "dropout",
    "gelu",
    "gelu_tanh",
    "tanh",
)
BACKENDS = {"kernels": "numba", "numpy": "numpy"}


class Case(NamedTuple):
    """One comparison."""

    op: str
    name: str
    make: Callable[[str], Side]  # by the name of the side
    flops: int = 0  # 0: not a matter of products
    targets: tuple[Target, ...] = ()
    full: Callable[[], Side] | None = None  # the kernels without causality, for a case that leaves half of it out


def all_cases(sizes: Sizes, chosen: tuple[str, ...] | list[str] = OPS) -> list[Case]:
    """Return the cases of the chosen ops."""
    cases = [*_products(sizes), *_feed_forward(sizes), *_attention(sizes), *_norms(sizes), head(sizes), _loss(sizes)]
    cases += [*_optimizer(sizes), *_embedding(sizes), *_elementwise(sizes)]
    return [case for case in cases if case.op in chosen]


def op_case(op: str, shapes: str, arguments: Callable, flops: int = 0, *targets: Target, note: str = "") -> Case:
    """Return the case of an op. `arguments(normal)` draws its arguments and the gradient of its result."""
    return Case(op, f"{op} {shapes}{note}", functools.partial(op_side, op, arguments), flops, targets)


def op_side(op: str, arguments: Callable, side: str) -> Side:
    """Return forward and backward of an op on random arguments."""
    args, dy = arguments(np.random.default_rng(0))
    if side == "torch":
        from minibert.bench.torch_ops import torch_side

        return torch_side(op, args, dy)
    forward, backward = getattr(ops, op), getattr(ops, f"{op}_backward")

    def run() -> tuple[Any, ...]:
        y, cache = forward(*args)
        grads = backward(dy, cache)
        return y, *(g for g in (grads if isinstance(grads, tuple) else (grads,)) if g is not None)

    return Side(run, functools.partial(dispatch.set_backend, BACKENDS[side]))


def normal(rng: np.random.Generator, *shape: int, std: float = 1.0) -> np.ndarray:
    """Draw float32 numbers."""
    return rng.standard_normal(shape, np.float32) * np.float32(std)


def _products(sizes: Sizes) -> list[Case]:
    return [
        Case("matmul", f"matmul {p.name}", functools.partial(product_side, p), 2 * p.rows * p.n_in * p.n_out)
        for p in step_products(sizes)
    ]


def _feed_forward(sizes: Sizes) -> list[Case]:
    c, N = sizes.config(), sizes.batch_size * sizes.seq_len
    D, F = c.hidden_size, c.intermediate_size

    def qkv(rng: np.random.Generator) -> tuple:
        return (normal(rng, N, D), normal(rng, D, 3 * D, std=D**-0.5), normal(rng, 3 * D)), normal(rng, N, 3 * D)

    def up(rng: np.random.Generator) -> tuple:
        return (normal(rng, N, D), normal(rng, D, F, std=D**-0.5), normal(rng, F), False), normal(rng, N, F)

    def both(rng: np.random.Generator) -> tuple:
        args, _ = up(rng)
        return (*args[:3], normal(rng, F, D, std=F**-0.5), normal(rng, D), False), normal(rng, N, D)

    count = flops.products(N, D, F)
    target = Target("times_torch", ">=", 1.3)
    return [
        op_case("linear", f"({N},{D})x({D},{3 * D})", qkv, flops.products(N, D, 3 * D)),
        op_case("linear_gelu", f"({N},{D})x({D},{F})", up, count, target),
        op_case("feed_forward", f"({N},{D},{F})", both, 2 * count),
    ]


def _attention(sizes: Sizes) -> list[Case]:
    """Queries, keys and values are views into one fused projection, as in a model."""
    B, T = sizes.batch_size, sizes.seq_len

    def case(B: int, H: int, T: int, causal: bool, rate: float) -> Case:
        K = 64

        def arguments(rng: np.random.Generator, causal: bool = causal) -> tuple:
            q, k, v = normal(rng, B, T, 3, H, K).transpose(2, 0, 3, 1, 4)  # (B, H, T, K) each
            dout = normal(rng, B, T, H, K).swapaxes(1, 2)  # (B, H, T, K)
            return (q, k, v, None, K**-0.5, causal, rate, 1 if rate else None), dout

        note = (" causal" if causal else "") + (f" dropout {rate:g}" if rate else "")
        targets = () if rate else (Target("times_torch", ">=", 1.5),)
        count = flops.attention(B, H, T, K, causal)
        made = op_case("attention", f"({B},{H},{T},{K})", arguments, count, *targets, note=note)
        full = functools.partial(op_side, "attention", functools.partial(arguments, causal=False), "kernels")
        return made._replace(full=full if causal else None)

    shapes = [(B, 4, T), (max(1, B // 2), 12, 4 * T)]
    cases = [case(*shape, causal, 0.0) for shape in shapes for causal in (False, True)]
    return cases + ([case(*shape, False, sizes.dropout) for shape in shapes] if sizes.dropout else [])


def _norms(sizes: Sizes) -> list[Case]:
    N, D, rate = sizes.batch_size * sizes.seq_len, sizes.config().hidden_size, sizes.dropout

    def norm(rng: np.random.Generator) -> tuple:
        return (normal(rng, N, D), normal(rng, D), normal(rng, D), 1e-12), normal(rng, N, D)

    def add_norm(rng: np.random.Generator) -> tuple:
        (x, *rest), dy = norm(rng)
        return (x, normal(rng, N, D), *rest, rate, 1 if rate else None), dy

    note = f" dropout {rate:g}" if rate else ""
    return [
        op_case("layer_norm", f"({N},{D})", norm, 0, Target("times_torch", ">=", 1.2)),
        op_case("add_norm", f"({N},{D})", add_norm, note=note),
    ]


def head(sizes: Sizes) -> Case:
    """The vocabulary head with its loss. Ours also says which word was predicted; PyTorch's does not."""
    c, N = sizes.config(), min(300, sizes.predicted)
    D, V = c.hidden_size, c.vocab_size

    def arguments(rng: np.random.Generator) -> tuple:
        weight = normal(rng, V, D, std=D**-0.5).T  # (D, V): tied to a table
        labels = rng.integers(0, V, N)
        return (normal(rng, N, D), weight, normal(rng, V), labels), np.float32(1)

    target = Target("times_torch", ">=", 1.5)
    return op_case("linear_cross_entropy", f"({N},{D})x({D},{V})", arguments, flops.products(N, D, V), target)


def _loss(sizes: Sizes) -> Case:
    """The loss of logits that are there."""
    N, V = min(300, sizes.predicted), sizes.config().vocab_size

    def arguments(rng: np.random.Generator) -> tuple:
        return (normal(rng, N, V), rng.integers(0, V, N)), np.float32(1)

    return op_case("cross_entropy", f"({N},{V})", arguments)


def _optimizer(sizes: Sizes) -> list[Case]:
    make = functools.partial(adamw_side, sizes.config())
    return [Case("adamw", f"adamw, clipped, {sizes.model}", make, 0, (Target("times_torch", ">=", 1.0),))]


def _embedding(sizes: Sizes) -> list[Case]:
    c, B, T = sizes.config(), sizes.batch_size, sizes.seq_len
    V, D = c.vocab_size, c.hidden_size

    def arguments(rng: np.random.Generator) -> tuple:
        return (rng.integers(0, V, (B, T)), normal(rng, V, D)), normal(rng, B, T, D)

    return [op_case("embedding", f"({B},{T}) of ({V},{D})", arguments)]


def _elementwise(sizes: Sizes) -> list[Case]:
    """Dropout of a layer's width, GELU of its wide part, and the pooler's tanh."""
    c, N, rate = sizes.config(), sizes.batch_size * sizes.seq_len, sizes.dropout

    def case(op: str, rows: int, columns: int, *more: Any, note: str = "") -> Case:
        def arguments(rng: np.random.Generator) -> tuple:
            return (normal(rng, rows, columns), *more), normal(rng, rows, columns)

        return op_case(op, f"({rows},{columns})", arguments, note=note)

    D, F = c.hidden_size, c.intermediate_size
    dropout = case("dropout", N, D, rate, 1 if rate else None, note=f" {rate:g}")
    return [dropout, case("gelu", N, F), case("gelu_tanh", N, F), case("tanh", sizes.batch_size, D)]


__all__ = ["OPS", "Case", "Product", "all_cases", "head", "op_case", "op_side"]
