"""Every matrix product of a BERT step, outside attention: forward, input gradient, weight gradient of each layer."""

import functools
from typing import NamedTuple

import numpy as np

from minibert import dispatch
from minibert.bench.sizes import Sizes
from minibert.bench.timing import Side


class Product(NamedTuple):
    """One product of a layer that maps `rows` vectors of n_in numbers to n_out."""

    layer: str
    kind: str  # "forward" x W, "input gradient" dy W^T, "weight gradient" x^T dy
    rows: int
    n_in: int
    n_out: int

    @property
    def name(self) -> str:
        """For example: qkv (2048,256)x(256,768) forward."""
        return f"{self.layer} ({self.rows},{self.n_in})x({self.n_in},{self.n_out}) {self.kind}"


def step_products(sizes: Sizes) -> list[Product]:
    """Return the products of a step, each size once."""
    c = sizes.config()
    D, F, V, B = c.hidden_size, c.intermediate_size, c.vocab_size, sizes.batch_size
    N, M = B * sizes.seq_len, sizes.predicted
    layers = [
        ("qkv", N, D, 3 * D),
        ("output", N, D, D),
        ("up", N, D, F),
        ("down", N, F, D),
        ("transform", M, D, D),
        ("vocabulary", M, D, V),
        ("pooler", B, D, D),
        ("pair", B, D, 2),
    ]
    kinds = ("forward", "input gradient", "weight gradient")
    return [Product(name, kind, *shape) for name, *shape in layers for kind in kinds]


def product_side(p: Product, side: str) -> Side:
    """Return one product. The vocabulary's weight is the transpose of a table, as in the model, for every side."""
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((p.rows, p.n_in), np.float32), rng.standard_normal((p.rows, p.n_out), np.float32)
    w = rng.standard_normal((p.n_in, p.n_out), np.float32)
    if p.layer == "vocabulary":
        w = np.asfortranarray(w)
    a, b = {"forward": (x, w), "input gradient": (dy, w.T), "weight gradient": (x.T, dy)}[p.kind]
    nothing = functools.partial(dispatch.set_backend, "numpy")
    if side == "torch":
        from minibert.bench.torch_ops import product

        return product(a, b)
    if side == "numpy":
        return Side(lambda: (a @ b,), nothing)
    from minibert.kernels.matmul import matmul

    return Side(lambda: (matmul(a, b),), nothing)
