"""What happens to a row of scores while its tile is in cache: loops that LLVM turns into vector instructions.

Rows are given by their address, and by how many adjacent numbers they hold.
"""

import math

import numpy as np
from llvmlite import ir
from minibert.kernels.attention_plan import MASK, NO_BIAS
from minibert.kernels.compile import FAST, compiled_once, inline
from minibert.kernels.dropout import keep
from minibert.kernels.memory import load, multiply_add, row, store
from numba import njit
from numba.extending import intrinsic

_rows = njit(fastmath=FAST, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)  # loops over a row

# 2**r for |r| <= 1 / 2, from the constant on: it interpolates at Chebyshev nodes, to 1e-7 and 4e-18
_POWER_OF_TWO = {
    32: (1.00000008, 0.693147188, 0.240221075, 0.0555035711, 0.00967603192, 0.00133908634),
    64: (
        1.0, 0.69314718055994531, 0.2402265069591016, 0.055504108664821627, 0.0096181291075872567,
        0.0013333558146406471, 0.00015403530463724354, 1.5252733841556773e-5, 1.3215432535912376e-6,
        1.0178057087733941e-7, 7.074194297288521e-9, 4.4558179083360645e-10,
    ),
}  # fmt: skip


@intrinsic
def exp_negative(typingctx, x):
    """e**x for x <= 0 in half the instructions of `vector_math.exp`: 0 where the result would be subnormal.

    e**x = 2**n 2**r with x / ln 2 = n + r, |r| <= 1 / 2. Adding 1.5 * 2**mantissa rounds to an integer and puts it
    into the last bits; with the exponent's bias added too, a shift makes them the bits of 2**n. n = -bias gives the
    bits of 0. NaN goes through the comparison and the polynomial.
    """
    bits, mantissa, bias, low = (32, 23, 127, -88.2) if str(x) == "float32" else (64, 52, 1023, -709.0)

    def codegen(context, builder, signature, args):
        number, integer = args[0].type, ir.IntType(bits)
        low_x, log2e, shift = number(low), number(1 / math.log(2)), number(1.5 * 2**mantissa + bias)
        x = builder.select(builder.fcmp_ordered(">", low_x, args[0]), low_x, args[0])
        shifted = multiply_add(builder, x, log2e, shift)
        # A flag of its own keeps the loop's away: reassociated, without FMA, (x log2e + shift) - shift rounds nothing
        n = builder.fsub(shifted, shift, flags=("contract",))
        r = multiply_add(builder, x, log2e, builder.fneg(n))
        result = number(_POWER_OF_TWO[bits][-1])
        for coefficient in _POWER_OF_TWO[bits][-2::-1]:
            result = multiply_add(builder, result, r, number(coefficient))
        power = builder.bitcast(builder.shl(builder.bitcast(shifted, integer), integer(mantissa)), number)
        return builder.fmul(result, power)

    return x(x), codegen


@intrinsic
def _greater(typingctx, x, y):
    """max(x, y) of numbers that are not NaN: only without NaN does LLVM take vector lanes of maxima."""

    def codegen(context, builder, signature, args):
        flags = ("nnan", "nsz")
        return builder.select(builder.fcmp_ordered(">", *args, flags=flags), *args, flags=flags)

    return x(x, x), codegen


@_rows
def bias_row(dtype, scores, count, kind, bias):
    """Add a row of bias to a row of scores, or set to minus infinity where a mask is False."""
    compiled_once()
    if kind == NO_BIAS:
        return
    s = row(dtype, scores, count)
    if kind == MASK:
        visible = row(np.uint8, bias, count)
        for j in range(count):
            s[j] = s[j] if visible[j] != 0 else dtype.type(-np.inf)
    else:
        added = row(dtype, bias, count)
        for j in range(count):
            s[j] += added[j]


@_rows
def fill(dtype, at, count, value):
    """Set adjacent numbers to a value."""
    compiled_once()
    x = row(dtype, at, count)
    for j in range(count):
        x[j] = value


@_rows
def largest(dtype, scores, count, start):
    """max(start, scores...). If one is NaN it does not matter what comes out: the sum of exponentials is NaN then."""
    compiled_once()
    s, result = row(dtype, scores, count), start
    for j in range(count):
        result = _greater(s[j], result)
    return result


@_rows
def exponentiate(dtype, scores, count, maximum):
    """scores = e**(scores - maximum); return their sum."""
    compiled_once()
    s, total = row(dtype, scores, count), dtype.type(0)
    for j in range(count):
        s[j] = exp_negative(s[j] - maximum)
    for j in range(count):  # by itself: sums in the loop above would not leave it registers enough
        total += s[j]
    return total


@inline
def _multiplier(dtype, i, key_low, key_high, threshold, scale):
    """m of dropout for element i. A product, and not a choice, will use it, for 0 * inf is NaN in the reference."""
    return scale if keep(key_low, key_high, i, threshold) else dtype.type(0)


@_rows
def drop_row(dtype, p, count, first, key_low, key_high, threshold):
    """p = p where kept, 0 where dropped; `first`: number of the row's first element among all of (B, H, T, S)."""
    compiled_once()
    p, one = row(dtype, p, count), dtype.type(1)
    for j in range(count):
        p[j] *= _multiplier(dtype, first + j, key_low, key_high, threshold, one)


@_rows
def backward_row(dtype, p, dp, count, maximum, inverse, product, first, key_low, key_high, threshold, factor):
    """From scores s (in p) and dD = dout v^T (in dp) to the dropped probabilities D (in p) and ds (in dp).

        P = e**(s - maximum) * inverse,   D = m P,   ds = P (m dD - product)

    with product = sum_j dP_j P_j of the whole row, which `row_product` finds without P.
    """
    compiled_once()
    p, dp = row(dtype, p, count), row(dtype, dp, count)
    if threshold == 0:
        for j in range(count):
            p[j] = exp_negative(p[j] - maximum) * inverse
            dp[j] = p[j] * (dp[j] - product)
    else:
        factor = dtype.type(factor)
        for j in range(count):
            probability = exp_negative(p[j] - maximum) * inverse
            m = _multiplier(dtype, first + j, key_low, key_high, threshold, factor)
            p[j] = m * probability
            dp[j] = probability * (m * dp[j] - product)


@_rows
def finite(dtype, item, x, x_row, x_column, rows, columns):
    """Whether a matrix holds neither NaN nor infinity: 0 * x is 0 for every other number."""
    compiled_once()
    total = zero = dtype.type(0)
    for i in range(rows):
        if x_column == item:
            numbers = row(dtype, x + i * x_row, columns)
            for k in range(columns):
                total += zero * numbers[k]
        else:
            for k in range(columns):
                total += zero * load(dtype, x + i * x_row + k * x_column)
    return total == 0


@_rows
def row_product(dtype, item, dout, out, count):
    """sum_j dP_j P_j = sum_j m_j P_j (dout . v_j) = dout . out: both (K,), no probability needed.

    In the reference, NaN or infinity in dout makes all of the row's ds NaN; here dout . out alone may be infinite.
    """
    gradient, result, total = row(dtype, dout, count), row(dtype, out, count), dtype.type(0)
    for k in range(count):
        total += gradient[k] * result[k]
    if not np.isfinite(total) and not finite(dtype, item, dout, 0, item, 1, count):
        return dtype.type(np.nan)
    return total


@_rows
def scale_row(dtype, x, count, factor):
    """Multiply adjacent numbers by a factor."""
    compiled_once()
    x = row(dtype, x, count)
    for k in range(count):
        x[k] *= factor


@_rows
def scaled_copy(dtype, item, source, source_item, count, factor, target, target_item):
    """target = factor * source; both may have any stride."""
    compiled_once()
    if source_item == item and target_item == item:
        source, target = row(dtype, source, count), row(dtype, target, count)
        for k in range(count):
            target[k] = factor * source[k]
    else:
        for k in range(count):
            store(dtype, target + k * target_item, factor * load(dtype, source + k * source_item))


@_rows
def add_row(dtype, source, count, target, one):
    """Add a row to the target: element by element, or, if `one`, its sum to a single number."""
    compiled_once()
    source = row(dtype, source, count)
    target = row(dtype, target, 1 if one else count)
    if one:
        total = dtype.type(0)
        for j in range(count):
            total += source[j]
        target[0] += total
    else:
        for j in range(count):
            target[j] += source[j]
