"""db: the sums of dy's columns, taken from the panels that the weight gradient has packed, while they are in cache.

A vector of sums waits four cycles for each addition to end. All vectors of a panel are therefore summed side by side,
and in registers: through memory each addition would take several times as long.
"""

from minibert.kernels.compile import compiled_once
from minibert.kernels.memory import INTP, itemsize, load, store, typed_pointer
from minibert.kernels.microkernel import host_tile
from minibert.kernels.packing import tile_columns
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic


@intrinsic
def add_rows(typingctx, dtype, panel, kc, sums):
    """add_rows(dtype, panel, kc, sums): sums (NR,) += the sum over k of a panel (kc, NR), k by k; addresses."""

    def codegen(context, builder, signature, args):
        _, panel, kc, sums = args
        item = signature.args[0].dtype
        tile, size = host_tile(str(item)), itemsize(context, item)

        def vector(at, v):
            at = builder.add(at, at.type(v * tile.lanes * size))
            return typed_pointer(context, builder, item, at, tile.lanes)

        old = [builder.load(vector(sums, v), align=size) for v in range(tile.vectors)]
        totals = [cgutils.alloca_once_value(builder, numbers) for numbers in old]
        with cgutils.for_range(builder, kc) as loop:
            row = builder.add(panel, builder.mul(loop.index, kc.type(tile.columns * size)))
            for v, total in enumerate(totals):
                numbers = builder.load(vector(row, v), align=size)
                builder.store(builder.fadd(builder.load(total), numbers), total)
        for v, total in enumerate(totals):
            builder.store(builder.load(total), vector(sums, v), align=size)
        return context.get_dummy_value()

    return types.void(dtype, *[INTP] * 3), codegen


@njit
def add_column_sums(dtype, item, panels, kc, columns, sums, add, edge):
    """sums (columns,) (+)= the sums over kc steps of k of B's packed panels. edge: room for a tile."""
    compiled_once()
    NR = tile_columns(dtype)
    for j in range(0, columns, NR):
        count = min(NR, columns - j)
        for n in range(NR):
            old = load(dtype, sums + (j + n) * item) if add and n < count else dtype.type(0)
            store(dtype, edge + n * item, old)
        add_rows(dtype, panels + j * kc * item, kc, edge)
        for n in range(count):
            store(dtype, sums + (j + n) * item, load(dtype, edge + n * item))
