"""Causal attention does half of the work: what no query may see is not computed.

What is skipped leaves no trace in the results, so the plan itself is watched: the loops that choose register tiles run
as Python, on sizes alone, with a recorder in place of the arithmetic. Then the compiled code is caught skipping: the
scratch memory of what it skips stays as it was.
"""

import importlib

import numpy as np
import pytest
from minibert.kernels import attention_tiles, flash_backward, flash_forward
from minibert.kernels.attention_plan import NO_BIAS, Settings, plan
from minibert.kernels.microkernel import host_tile

K = 64
SHAPES = [(128, 128), (512, 512), (300, 300), (100, 400)]


class Recorder:
    """Runs the plan of forward or backward on one head, and counts the multiply-adds of its register tiles."""

    def __init__(self, monkeypatch, dtype):
        self.dtype, self.patch = np.dtype(dtype), monkeypatch
        self.tile = host_tile(self.dtype)
        self.work = 0
        self.visited = []  # tiles of scores: (first rows and columns of register tiles, rows, columns, diagonal)
        self.multiply_seen = attention_tiles.multiply_seen.py_func
        constants = {"tile_rows": lambda _: self.tile.rows, "tile_columns": lambda _: self.tile.columns}
        self.replace(attention_tiles, **constants, compiled_once=lambda: None, _tile=self.register_tile)
        for module in (flash_forward, flash_backward):
            nothing = "copy_rows fetch pack_b pack_transposed fill finish_row scaled_copy store".split()
            self.replace(module, **dict.fromkeys(nothing, lambda *args: 0), tile_rows=constants["tile_rows"])
            self.replace(module, address=lambda x: 0, start=lambda x, b, h: 0, load=lambda *args: 1.0)
            self.replace(module, finite=lambda *args: True, multiply_seen=self.scores)
            self.replace(module, multiply_between=attention_tiles.multiply_between.py_func)
            self.replace(module, find_head=lambda m, a, kind, b, h, H, T, S: attention_tiles.Head(T, S, 0, 0, 0, 0))
        self.replace(flash_forward, _attend=flash_forward._attend.py_func)
        self.replace(flash_forward, _pack_keys=lambda *args: None, _row=lambda *args: None)
        self.replace(flash_backward, _tile=flash_backward._tile.py_func, row_product=lambda *args: 1.0)
        self.replace(flash_backward, **dict.fromkeys(("_pack_queries", "_write", "backward_row"), lambda *args: None))

    def replace(self, module, **names):
        for name, function in names.items():
            self.patch.setattr(module, name, function, raising=name not in ("tile_rows", "store", "pack_b", "fetch"))

    def register_tile(self, dtype, a, a_row, a_column, panel, kc, c, c_row, add):
        self.work += self.tile.rows * self.tile.columns * kc
        self.visited[-1][0].append((c // c_row, c % c_row // self.dtype.itemsize))

    def scores(self, dtype, item, a, a_row, panels, kc, c, c_row, rows, columns, diagonal):
        self.visited.append(([], rows, columns, diagonal))
        self.multiply_seen(dtype, item, a, a_row, panels, kc, 0, c_row, rows, columns, diagonal)
        self.visited.append(([], 0, 0, 0))  # the products that follow are of other operands

    def run(self, direction, T, S, causal):
        q, k = (np.empty((1, 1, n, K), self.dtype) for n in (T, S))
        how = Settings(1.0, 1.0, NO_BIAS, int(causal), 0, 0, 0)
        cut = plan(1, T, S, K, self.dtype)
        self.work, self.visited = 0, []
        stats = np.empty((2, 1, 1, T), self.dtype)
        if direction == "forward":
            for chunk in range(cut.chunks):
                flash_forward._task.py_func(q, k, k, q, q, q, stats, cut, how, 0, 0, chunk * cut.chunk, q)
        else:
            dbias = np.empty((0, 0), self.dtype)
            flash_backward._head.py_func(q, k, k, q, q, q, stats, q, q, k, k, dbias, cut, how, 0, 0, q)
        return self.work


@pytest.fixture(params=[np.float32, np.float64])
def recorder(monkeypatch, request):
    return Recorder(monkeypatch, request.param)


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize(("T", "S"), SHAPES)
def test_half_of_the_work(recorder, direction, T, S):
    """Of T S pairs T S - T (T - 1) / 2 are seen: causal does that share of the full work.

    Beyond that, in each row of scores, less than the rows and columns of a register tile. The ends of T and S, rounded
    up to whole register tiles, are part of the full work too.
    """
    tile = recorder.tile
    full, causal = (recorder.run(direction, T, S, causal) for causal in (False, True))
    products = {"forward": 2, "backward": 5}[direction]
    assert full >= products * T * S * K
    seen = T * S - T * (T - 1) // 2
    beyond = products * T * (tile.rows + tile.columns) * K
    assert products * seen * K <= causal <= full * seen / (T * S) + beyond


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize(("T", "S"), SHAPES)
def test_every_register_tile_of_scores_holds_a_pair_that_is_seen(recorder, direction, T, S):
    recorder.run(direction, T, S, True)
    MR, NR = recorder.tile.rows, recorder.tile.columns
    total = 0
    for places, rows, columns, diagonal in recorder.visited:
        if rows == 0:
            continue
        done = np.zeros((rows + MR, columns + NR), bool)
        for i, j in places:
            assert j <= i + MR - 1 + diagonal
            done[i : i + MR, j : j + NR] = True
        seen = np.tri(rows, columns, diagonal, dtype=bool)
        assert done[:rows, :columns][seen].all()
        total += seen.sum()
    products = {"forward": 1, "backward": 2}[direction]  # q k^T, and dout v^T
    assert total == products * (T * S - T * (T - 1) // 2)  # no tile was left out


def test_scratch_memory_of_what_is_skipped_stays_as_it_was(monkeypatch):
    """One tile of 40 queries: its first query sees one key, so the second panel of its row is not written."""
    module = importlib.import_module("minibert.kernels.attention")  # its name in the package is the op's
    q, k, v, dout = np.random.default_rng(0).standard_normal((4, 1, 1, 40, 16))
    buffers = []

    def poisoned(lanes, size, dtype, purpose=""):
        buffers.append(np.full((lanes, size), np.nan, dtype))
        return buffers[-1]

    monkeypatch.setattr(module, "scratch", poisoned)
    cut, panel = plan(1, 40, 40, 16, q.dtype), host_tile(q.dtype).columns
    layouts = flash_forward.scratch_layout(0, 1, 40, 16, cut), flash_backward.scratch_layout(0, 1, 40, 16, cut)
    for causal in (False, True):
        out, cache = module.attention(q, k, v, None, 0.25, causal)
        assert np.isfinite(out).all()
        assert all(np.isfinite(d).all() for d in module.attention_backward(dout, cache)[:3])
        for layout, buffer in zip(layouts, buffers[-2:], strict=True):
            first = buffer[0, layout.scores :][panel:40]
            assert np.isnan(first).all() == causal
            assert np.isnan(first).any() == causal
