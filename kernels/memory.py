"""Raw memory for the compiled loops: addresses, and loads, stores and moves at an address.

A strided view is an address and its strides in bytes. Passing these integers around instead of array slices
gives every operand the same type, whatever its layout: one compiled kernel per dtype serves them all.
"""

from llvmlite import ir
from numba import carray, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

INTP = types.intp


def typed_pointer(context, builder, dtype, address, lanes: int | None = None):
    """LLVM pointer to one `dtype`, or to a vector of `lanes` of them, from an integer address."""
    value = context.get_value_type(dtype)
    return builder.inttoptr(address, (value if lanes is None else ir.VectorType(value, lanes)).as_pointer())


def itemsize(context, dtype) -> int:
    """Bytes of one element, which is also the alignment we may rely on: views start anywhere."""
    return context.get_abi_sizeof(context.get_value_type(dtype))


@intrinsic
def address(typingctx, array):
    """address(array) -> intp: where the array's first element lies."""

    def codegen(context, builder, signature, args):
        struct = context.make_array(signature.args[0])(context, builder, args[0])
        return builder.ptrtoint(struct.data, context.get_value_type(INTP))

    return INTP(array), codegen


@intrinsic
def load(typingctx, dtype, at):
    """load(dtype, at) -> the element at an address."""

    def codegen(context, builder, signature, args):
        pointer = typed_pointer(context, builder, signature.return_type, args[1])
        return builder.load(pointer, align=itemsize(context, signature.return_type))

    return dtype.dtype(dtype, INTP), codegen


@intrinsic
def store(typingctx, dtype, at, value):
    """store(dtype, at, value): write one element at an address."""

    def codegen(context, builder, signature, args):
        item = signature.args[2]
        pointer = typed_pointer(context, builder, item, args[1])
        builder.store(args[2], pointer, align=itemsize(context, item))
        return context.get_dummy_value()

    return types.void(dtype, INTP, dtype.dtype), codegen


@intrinsic
def prefetch(typingctx, at):
    """prefetch(at): ask for the cache line at an address, to be read soon. Any address is allowed."""

    def codegen(context, builder, signature, args):
        emit_prefetch(builder, args[0], to_write=False)
        return context.get_dummy_value()

    return types.void(INTP), codegen


def emit_prefetch(builder, at, to_write: bool):
    """Emit the instruction that asks for the cache line at an integer address."""
    i32 = ir.IntType(32)
    signature = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, i32, i32, i32])
    function = cgutils.get_or_insert_function(builder.module, signature, "llvm.prefetch.p0")
    pointer = builder.inttoptr(at, cgutils.voidptr_t)
    builder.call(function, [pointer, i32(int(to_write)), i32(3), i32(1)])  # 3: keep it close; 1: it is data


def multiply_add(builder, x, y, z):
    """Emit x * y + z, of numbers or of vectors: one FMA where the machine has it, else a product and a sum."""
    scalar = x.type.element if isinstance(x.type, ir.VectorType) else x.type
    lanes = f"v{x.type.count}" if scalar is not x.type else ""
    name = f"llvm.fmuladd.{lanes}f{32 if isinstance(scalar, ir.FloatType) else 64}"
    signature = ir.FunctionType(x.type, [x.type] * 3)
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), [x, y, z])


@intrinsic
def _void_pointer(typingctx, at):
    def codegen(context, builder, signature, args):
        return builder.inttoptr(args[0], cgutils.voidptr_t)

    return types.voidptr(INTP), codegen


@njit
def row(dtype, at, count):
    """The `count` adjacent elements at an address, as a 1-D array that owns nothing."""
    return carray(_void_pointer(at), (count,), dtype)


@intrinsic
def fetch_add(typingctx, array):
    """fetch_add(array) -> intp: the value of array[0], which grows by one; no two threads get the same."""

    def codegen(context, builder, signature, args):
        struct = context.make_array(signature.args[0])(context, builder, args[0])
        one = context.get_constant(INTP, 1)
        return builder.atomic_rmw("add", struct.data, one, "monotonic")

    return INTP(array), codegen
