"""The register tile: the few instructions in which a matrix product spends its time.

What limits a matrix product? A core of the kind this was tuned on finishes 2 vector multiply-adds (FMA) of 8
float32 in a cycle, but loads at most 2 vectors in that cycle. The plain loop `c[i, j] += a[i, k] * b[k, j]` loads two
vectors and stores one for each multiply-add: the arithmetic units wait for memory most of the time. The cure is to
use each loaded number several times while it sits in a register.

The register tile
    We compute a small tile of C, MR rows by NR columns, whole: its sums stay in registers while k runs over all of
    A's columns, and only the finished sums are written. One step of k adds an outer product:

                      b[k, 0:8]   b[k, 8:16]          2 loads, each used 6 times
        a[0, k]     | c00         c01       |
        a[1, k]     | c10         c11       |         6 loads of one number, copied to all lanes
        ...         | ...         ...       |         ("broadcast"), each used twice
        a[5, k]     | c50         c51       |
                                                      12 multiply-adds, no store

Why 6 x 16
    AVX2 has 16 vector registers. 6 x 2 vectors of sums, 2 vectors of B and 1 to 2 broadcasts of A fill them exactly;
    one more row and a sum would be spilled to memory in every step. The 12 multiply-adds keep both arithmetic units
    busy for 6 cycles, in which 12 loads were possible and 8 are needed: arithmetic is the limit now, as it should be.
    There is a second reason to have that many sums: a multiply-add takes 4 cycles to finish, and two units are
    kept busy only by 2 x 4 = 8 or more sums that do not wait for one another. We have 12.
    Other machines have other registers, so `tile_shape` reads the machine's description. With AVX-512, 32 registers of
    16 float32, the same reckoning gives 14 x 32: 28 sums, 2 of B, 2 broadcasts.

Packing
    The step wants b[k, 0:16], then b[k+1, 0:16], and so on: in a row-major B these lie a whole row apart, each in
    another cache line, often in another memory page. So a block of B is first copied ("packed") into *panels*: NR
    columns wide, one step of k behind the other, padded with zeros to full width. The tile then reads one straight
    stream, which the processor fetches ahead. The copy costs little, since each packed number serves every row of A.
    A is read one number at a time, so any strides would do; `packing.py` says when A is packed all the same.

The names MR, NR, KC, panel and pack are those of BLIS (Van Zee & van de Geijn 2015) and of Goto & van de
Geijn 2008, "Anatomy of high-performance matrix multiplication".

How it is written
    Numba compiles loops, but cannot be told what to keep in registers. An `@intrinsic` may emit LLVM instructions
    itself. We ask for one stack slot (`alloca`) for each vector of sums; as each slot is only loaded and stored
    whole, LLVM turns all of them into registers.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from minibert.kernels.memory import INTP, emit_prefetch, itemsize, multiply_add, typed_pointer
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

UNROLL = 4  # steps of k written out behind one another, so that the loop's own counting costs little


class Tile(NamedTuple):
    """A register tile: `rows` (MR) by `vectors` vectors of `lanes` numbers."""

    rows: int
    vectors: int
    lanes: int

    @property
    def columns(self) -> int:
        """NR."""
        return self.vectors * self.lanes


def tile_shape(features: frozenset[str], dtype) -> Tile:
    """The tile that fills the vector registers of a machine with these LLVM features.

    features: enabled names, as in `llvmlite.binding.get_host_cpu_features()`; dtype: float32 or float64.
    """
    if "avx512f" in features:  # 32 registers of 64 bytes: 28 sums, 2 of B, 1 to 2 of A
        rows, vectors, width = 14, 2, 64
    elif "avx" in features:  # 16 registers of 32 bytes: 12 sums, 2 of B, 1 to 2 of A
        rows, vectors, width = 6, 2, 32
    elif "neon" in features:  # 32 registers of 16 bytes: 24 sums, 3 of B, 2 of A
        rows, vectors, width = 8, 3, 16
    else:  # 16 registers of 16 bytes (SSE2): without FMA each product needs a register too
        rows, vectors, width = 4, 2, 16
    return Tile(rows, vectors, width // np.dtype(dtype).itemsize)


@cache
def target_features() -> frozenset[str]:
    """Features of the machine that Numba compiles for (NUMBA_CPU_FEATURES may override the host's)."""
    triple, _, features = cpu_target.target_context.codegen().magic_tuple()
    enabled = {name[1:] for name in features.split(",") if name.startswith("+")}
    if triple.startswith(("aarch64", "arm64")):  # every 64-bit ARM has it, some report it under another name
        enabled.add("neon")
    return frozenset(enabled)


def host_tile(dtype) -> Tile:
    """The tile for the machine that Numba compiles for."""
    return tile_shape(target_features(), dtype)


@intrinsic
def multiply_tile(typingctx, dtype, a, a_row, a_column, panel, kc, c, c_row, add):
    """multiply_tile(dtype, a, a_row, a_column, panel, kc, c, c_row, add): one tile of C over kc steps of k.

    C[i, j] (+)= sum_k A[i, k] B[k, j]  for i < MR, j < NR. The operands are addresses: A (MR, kc) with strides
    a_row and a_column, the packed panel of B (kc, NR), C (MR, NR) with rows c_row apart. Strides are in bytes. If
    `add` is not 0 the sums are added to C, else they replace it.
    """

    def codegen(context, builder, signature, args):
        _, a, a_row, a_column, panel, kc, c, c_row, add = args
        _TileEmitter(context, builder, signature.args[0].dtype).emit(a, a_row, a_column, panel, kc, c, c_row, add)
        return context.get_dummy_value()

    return types.void(dtype, *[INTP] * 8), codegen


class _TileEmitter:
    """Writes the LLVM instructions of one tile."""

    def __init__(self, context, builder, dtype):
        self.context, self.builder, self.dtype = context, builder, dtype
        self.tile = host_tile(str(dtype))
        self.item = itemsize(context, dtype)
        self.vector = ir.VectorType(context.get_value_type(dtype), self.tile.lanes)
        self.cells = [(i, v) for i in range(self.tile.rows) for v in range(self.tile.vectors)]

    def emit(self, a, a_row, a_column, panel, kc, c, c_row, add):
        builder, intp = self.builder, kc.type
        zero = ir.Constant(self.vector, [0.0] * self.tile.lanes)
        self.sums = {cell: cgutils.alloca_once_value(builder, zero) for cell in self.cells}
        for cell in self.cells:  # the slots are made once a function; they must be cleared once a tile
            builder.store(zero, self.sums[cell])
        for i in range(self.tile.rows):  # ask for the tile's lines of C: they arrive while the sums are made
            emit_prefetch(builder, builder.add(c, builder.mul(c_row, intp(i))), to_write=True)
        self.a_rows = [builder.mul(a_row, intp(i)) for i in range(self.tile.rows)]
        self.a, self.panel = (cgutils.alloca_once(builder, intp) for _ in range(2))
        builder.store(a, self.a)
        builder.store(panel, self.panel)
        with cgutils.for_range(builder, builder.udiv(kc, intp(UNROLL))):
            for _ in range(UNROLL):
                self.step(a_column)
        with cgutils.for_range(builder, builder.urem(kc, intp(UNROLL))):
            self.step(a_column)
        with builder.if_then(builder.icmp_signed("!=", add, intp(0))):
            for cell in self.cells:
                old = builder.load(self.c_vector(c, c_row, *cell), align=self.item)
                builder.store(builder.fadd(old, builder.load(self.sums[cell])), self.sums[cell])
        for cell in self.cells:
            builder.store(builder.load(self.sums[cell]), self.c_vector(c, c_row, *cell), align=self.item)

    def step(self, a_column):
        """One step of k: sums += outer product of a column of A and a row of the panel."""
        builder, tile = self.builder, self.tile
        a, panel = builder.load(self.a), builder.load(self.panel)
        b = [builder.load(self.pointer(panel, v * tile.lanes), align=self.item) for v in range(tile.vectors)]
        for i in range(tile.rows):
            at = typed_pointer(self.context, builder, self.dtype, builder.add(a, self.a_rows[i]))
            broadcast = self.broadcast(builder.load(at, align=self.item))
            for v in range(tile.vectors):
                slot = self.sums[i, v]
                builder.store(multiply_add(builder, broadcast, b[v], builder.load(slot)), slot)
        builder.store(builder.add(a, a_column), self.a)
        builder.store(builder.add(panel, panel.type(tile.columns * self.item)), self.panel)

    def broadcast(self, scalar):
        """The scalar in every lane of a vector."""
        undefined = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, ir.IntType(32)(0))
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), self.tile.lanes), [0] * self.tile.lanes)
        return self.builder.shuffle_vector(first, undefined, lanes)

    def c_vector(self, c, c_row, i, v):
        start = self.builder.add(c, self.builder.mul(c_row, c.type(i)))
        return self.pointer(start, v * self.tile.lanes)

    def pointer(self, at, elements: int):
        """Vector pointer `elements` after an address."""
        at = self.builder.add(at, at.type(elements * self.item))
        return typed_pointer(self.context, self.builder, self.dtype, at, self.tile.lanes)
