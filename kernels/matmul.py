"""Matrix products for every step of training, with what follows a product done while its block is in cache.

A and B may have any strides (transposed, or the heads inside a fused projection): nothing is copied first, except
in small blocks. Both have the same dtype, float32 or float64. The result has the same bits whatever the number of
threads. `out` arrays must not overlap the operands.

    matmul(a, b, bias=...)                  A B + b              a projection
    matmul_gelu(x, w, b)                    gelu(x W + b)        the first half of a feed-forward block
    matmul_gelu_grad(dy, w.T, u)            (dy W^T) gelu'(u)    its backward: the gradient of u = x W + b; u := gelu(u)
    weight_gradient(x, dy)                  x^T dy, dy.sum(0)    what W and b receive
"""

import math

import numpy as np
from minibert.kernels.blocking import SERIAL_WORK, TINY_WORK, is_read_in_place, plan
from minibert.kernels.epilogue import GELU, GELU_GRAD, GELU_TANH, GELU_TANH_GRAD, PLAIN
from minibert.kernels.microkernel import host_tile
from minibert.kernels.product import phases, product
from minibert.kernels.threads import run_on
from minibert.kernels.vector_product import is_vector_product, vector_product
from minibert.kernels.workspace import scratch
from numba import get_num_threads

_NOTHING = {np.dtype(t): (np.empty(0, t), np.empty((1, 1, 1, 1), t)) for t in (np.float32, np.float64)}
_TILE = {t: host_tile(t) for t in _NOTHING}
_EDGE = {t: -(-tile.rows * tile.columns // 16) * 16 for t, tile in _TILE.items()}  # whole cache lines


def matmul(
    a: np.ndarray, b: np.ndarray, out: np.ndarray | None = None, *, bias: np.ndarray | None = None, add: bool = False
) -> np.ndarray:
    """A B + bias, or with `add` out + A B + bias, over the last two axes; leading axes broadcast as in NumPy.

    There may be two leading axes, and any number where B has none; of more than two, an A with gaps is copied first.

    a (..., M, K), b (..., K, N), bias (N,)  ->  (..., M, N): `out` if it is given, else a new array.
    """
    if add and out is None:
        raise ValueError("add=True adds to an existing array: pass it as `out`")
    out = _output(out, a, b)
    _multiply(a, b, out, bias=bias, add=add)
    return out


def matmul_gelu(
    a: np.ndarray,
    b: np.ndarray,
    bias: np.ndarray | None = None,
    out: np.ndarray | None = None,
    u: np.ndarray | None = None,
    *,
    tanh: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """gelu(u) and u = A B + bias, which backward needs. `tanh` chooses GELU's tanh form.

    a (..., M, K), b (..., K, N), bias (N,)  ->  gelu(u) (..., M, N), u (..., M, N), in `out` and `u` if given.
    """
    out, u = _output(out, a, b), _output(u, a, b)
    if not (out.flags.c_contiguous and u.flags.c_contiguous):
        raise ValueError("out and u must be contiguous")
    _multiply(a, b, u, bias=bias, other=out, kind=GELU_TANH if tanh else GELU)
    return out, u


def matmul_gelu_grad(
    a: np.ndarray, b: np.ndarray, u: np.ndarray, out: np.ndarray | None = None, *, tanh: bool = False
) -> np.ndarray:
    """(A B) gelu'(u), elementwise after the product; u becomes gelu(u), which the weight behind it needs.

    a (..., M, K), b (..., K, N), u (..., M, N)  ->  (..., M, N).
    """
    out = _output(out, a, b)
    if u.shape != out.shape or u.dtype != out.dtype or not u.flags.c_contiguous:
        raise ValueError(f"u {u.shape} {u.dtype} is not like the product {out.shape} {out.dtype}, or not contiguous")
    _multiply(a, b, out, other=u, kind=GELU_TANH_GRAD if tanh else GELU_GRAD)
    return out


def weight_gradient(
    x: np.ndarray, dy: np.ndarray, dw: np.ndarray | None = None, db: np.ndarray | None = None, *, add: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """dW = x^T dy and db = dy.sum(0) in one sweep over dy; with `add` both are added to the arrays given.

    x (..., I), dy (..., O), the same rows  ->  dW (I, O), db (O,).
    """
    x, dy = (t.reshape(math.prod(t.shape[:-1]), t.shape[-1]) for t in (x, dy))
    if add and (dw is None or db is None):
        raise ValueError("add=True adds to existing arrays: pass dw and db")
    dw = _output(dw, x.T, dy)
    db = np.empty(dy.shape[1], dy.dtype) if db is None else db
    if db.shape != dy.shape[1:] or db.dtype != dy.dtype or not db.flags.c_contiguous:
        raise ValueError(f"db {db.shape} {db.dtype} is not a contiguous vector for dy {dy.shape} {dy.dtype}")
    _multiply(x.T, dy, dw, sums=db, add=add)
    return dw, db


def _output(out, a, b):
    """`out`, or a new array for A B; raises if shapes or dtypes do not fit."""
    if a.ndim < 2 or b.ndim < 2 or a.shape[-1] != b.shape[-2]:
        raise ValueError(f"cannot multiply {a.shape} by {b.shape}")
    if a.dtype != b.dtype or a.dtype not in _NOTHING:
        raise TypeError(f"operands must both be float32 or both float64, not {a.dtype} and {b.dtype}")
    batch = a.shape[:-2] if b.ndim == 2 else np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    shape = (*batch, a.shape[-2], b.shape[-1])
    if out is None:
        return np.empty(shape, a.dtype)
    if out.shape != shape or out.dtype != a.dtype:
        raise ValueError(f"out {out.shape} {out.dtype} does not fit the product {shape} {a.dtype}")
    return out


def _multiply(a, b, out, *, bias=None, other=None, sums=None, kind=PLAIN, add=False):
    """Bring the operands to four axes and run the compiled product."""
    if out.size == 0 and sums is None:
        return
    if out.size and out.strides[-1] != out.itemsize and out.shape[-1] > 1:  # the tile writes along rows: make some
        rows = out.copy("C") if add else np.empty(out.shape, out.dtype)
        _multiply(a, b, rows, bias=bias, other=other, sums=sums, kind=kind, add=add)
        out[...] = rows
        return
    if bias is not None and bias.shape != out.shape[-1:]:
        raise ValueError(f"bias {bias.shape} does not fit a product with {out.shape[-1]} columns")
    if kind == PLAIN and out.size * a.shape[-1] <= TINY_WORK:
        _by_numpy(a, b, out, bias, sums, add)
        return
    a, b, out, other = _four_axes(a, b, out, other)
    nothing, no_other = _NOTHING[out.dtype]
    bias = nothing if bias is None else np.ascontiguousarray(bias, out.dtype)
    if sums is None and not add and is_vector_product(a, b, kind):
        vector_product(a, b, out, no_other if other is None else other, bias, kind)
        return
    P, Q, M, N = out.shape
    allowed = get_num_threads()
    in_place = is_read_in_place(*a.strides[2:], a.itemsize, _TILE[a.dtype].rows)
    how = plan(M, N, a.shape[3], P * Q, in_place, allowed, out.dtype)
    threads = _busy(how, P * Q, P * Q * M * N * a.shape[3], allowed)
    panels = scratch(1 if how.together else threads, how.panels, out.dtype, "panels")
    edges = scratch(threads, _EDGE[out.dtype], out.dtype, "edges")
    run_on(
        *(threads, allowed, product(out.dtype), a, b, out, no_other if other is None else other, bias),
        *(nothing if sums is None else sums, int(add), kind),
        *(how, np.zeros(phases(how, P * Q), np.intp), panels, edges),
    )


def _by_numpy(a, b, out, bias, sums, add):
    """A product so small that calling is most of it: NumPy's call is the shortest."""
    result = a @ b if bias is None else a @ b + bias
    out[...] = out + result if add else result
    if sums is not None:
        sums[...] = sums + b.sum(0) if add else b.sum(0)


def _busy(how, matrices, work, allowed):
    """How many threads have something to do: one, if waking the others takes longer than the product."""
    if work < SERIAL_WORK:
        return 1
    tasks = matrices * how.strips
    if how.together:
        tasks = -(-how.rows // how.task_rows) * -(-how.columns // how.task_columns)
    return max(1, min(allowed, tasks))


def _four_axes(a, b, out, other):
    """Views of the operands with two leading axes, broadcast to one another.

    Rows of a contiguous A that all meet the same B are one long matrix: (..., M, K) B is (... * M, K) B. With more
    than two leading axes they become one.
    """
    if b.ndim == 2 < out.ndim and out.flags.c_contiguous and (a.flags.c_contiguous or out.ndim > 4):
        rows = math.prod(out.shape[:-1])
        other = None if other is None else other.reshape(rows, out.shape[-1])
        a, out = a.reshape(rows, a.shape[-1]), out.reshape(rows, out.shape[-1])
    batch = out.shape[:-2]
    if len(batch) > 2:
        raise ValueError(f"more than two leading axes: {batch}")
    views = []
    for x in (a, b, out, other):
        if x is not None:
            x = x if x.shape[:-2] == batch else np.broadcast_to(x, batch + x.shape[-2:])
            x = x[(None,) * (4 - x.ndim)]
        views.append(x)
    return views
