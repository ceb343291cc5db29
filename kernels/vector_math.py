"""exp, tanh and erf as polynomials, written so that LLVM can compute a whole vector of them at once.

`math.exp` and its kin are calls of one number each, and a loop with a call in it is not vectorised. These functions
have neither calls nor branches: where a formula has two cases, both are computed and one is selected.
They are scalar functions for use inside other compiled loops, for float32 (relative error about 1e-7) and
float64 (about 1e-15), chosen by the type of the argument. NaN gives NaN; infinities give the limits.

The polynomials interpolate their function at Chebyshev nodes of its interval, which is close to the best
polynomial of that degree; the coefficients start with the constant term.
"""

import math

import numpy as np
from llvmlite import ir
from minibert.kernels.memory import multiply_add
from numba import njit, types
from numba.extending import intrinsic, overload

# contract: x * y + z may be one FMA. No other liberty: reassociation would undo the rounding tricks below.
inline = njit(forceinline=True, fastmath={"contract"}, error_model="numpy")


def per_dtype(float32, float64):
    """A function f(x) for compiled code: the tuple of constants in the precision of x.

    A bare literal is a float64, and one float64 in a float32 loop doubles the width of everything after it.
    """

    def constants(x):
        raise NotImplementedError("for compiled code only")

    @overload(constants, jit_options={"forceinline": True})
    def typed(x):
        single = x == types.float32
        values = tuple(np.float32(v) for v in float32) if single else tuple(float(v) for v in float64)
        return lambda x: values

    return constants


def horner(float32, float64):
    """A function f(x) for compiled code: Horner's rule with the coefficients for the precision of x."""

    @intrinsic
    def polynomial(typingctx, x):
        coefficients = float32 if x == types.float32 else float64

        def codegen(context, builder, signature, args):
            result = args[0].type(coefficients[-1])
            for coefficient in reversed(coefficients[:-1]):
                result = multiply_add(builder, result, args[0], args[0].type(coefficient))
            return result

        return x(x), codegen

    return polynomial


def same(*values):
    return per_dtype(values, values)


_ONE = same(1)
_EXP_CONSTANTS = per_dtype(  # lowest and highest x, 1 / ln 2, 1.5 * 2**(mantissa bits), ln 2 in two parts, 1 / 2
    float32=(-104, 89, 1 / math.log(2), 1.5 * 2**23, 0.693359375, -2.12194440054690583e-4, 0.5),
    float64=(-746, 710, 1 / math.log(2), 1.5 * 2**52, 0.69314718036912382, 1.9082149292705877e-10, 0.5),
)
_TANH_CONSTANTS = same(0.625, 1, 2)
_ERFC_CONSTANTS = per_dtype(float32=(1, 2, 3, 10.5), float64=(1, 2, 3, 28))  # beyond the last, e**(-z * z) is 0

# e**r on |r| <= ln 2 / 2; (1 + 2 z) e**(z * z) erfc(z) in t = (z - 3) / (z + 3); erf(x) / x in x**2 for |x| <= 1;
# (tanh(x) / x - 1) / x**2 in x**2 for |x| <= 0.625
_EXP_POLYNOMIAL = horner(
    float32=(
        1.0,
        1.00000004,
        0.500000005,
        0.166664155,
        4.16663529e-2,
        8.3751264e-3,
        1.39411084e-3,
    ),
    float64=(
        1.0,
        1.0,
        0.5,
        0.16666666666666702,
        4.1666666666666692e-2,
        8.3333333333095271e-3,
        1.3888888888871888e-3,
        1.9841269909217101e-4,
        2.4801587350110796e-5,
        2.7557224958392623e-6,
        2.7557251904174913e-7,
        2.5114869528657765e-8,
        2.09215799649503e-9,
    ),
)
_ERFCX_POLYNOMIAL = horner(
    float32=(
        1.25300806,
        -0.135621149,
        -4.75623182e-2,
        0.129646715,
        -0.119271919,
        6.82930291e-2,
        -2.37946645e-2,
        2.57685652e-3,
        2.00177123e-3,
        -7.88120753e-4,
        -2.73595999e-4,
    ),
    float64=(
        1.2530080582697296,
        -0.13562110612458,
        -4.7562294353447558e-2,
        0.12964515870257855,
        -0.1192736634151268,
        6.8308027351063396e-2,
        -2.3770514926777942e-2,
        2.5293916974281018e-3,
        1.8886904647967854e-3,
        -7.7983121059133237e-4,
        -1.0516041881526383e-4,
        1.2509371317058383e-4,
        4.951160754493588e-6,
        -2.0081864594672196e-5,
        -7.3240971212506092e-7,
        3.4331689317834989e-6,
        3.504243374577423e-7,
        -5.6570243302357961e-7,
        -1.2418558024936117e-7,
        6.390588178845851e-8,
        2.3026697174523651e-8,
    ),
)
_ERF_POLYNOMIAL = horner(
    float32=(
        1.12837917,
        -0.376126267,
        0.112835947,
        -2.6854212e-2,
        5.18908742e-3,
        -8.01686429e-4,
        7.87587506e-5,
    ),
    float64=(
        1.1283791670955126,
        -0.3761263890318354,
        0.11283791670945006,
        -2.686617064323777e-2,
        5.2239776071164227e-3,
        -8.5483259753896921e-4,
        1.2055294904839708e-4,
        -1.492473690741966e-5,
        1.6447424703317362e-6,
        -1.6208483801871706e-7,
        1.3720064546777686e-8,
        -7.7958988270021422e-10,
    ),
)
_TANH_POLYNOMIAL = horner(
    float32=(
        -0.333333289,
        0.133327697,
        -5.38509096e-2,
        2.0997179e-2,
        -6.09671417e-3,
    ),
    float64=(
        -0.33333333333333323,
        0.13333333333326658,
        -5.3968253961395571e-2,
        2.1869488260559115e-2,
        -8.8632298309257087e-3,
        3.5920589774734553e-3,
        -1.455309297534642e-3,
        5.8743728600943819e-4,
        -2.3077616269519858e-4,
        7.959955735264808e-5,
        -1.724487449484433e-5,
    ),
)


@intrinsic
def _power_of_two(typingctx, shifted):
    """2**n from n + 1.5 * 2**m, where m is the number of mantissa bits.

    In that sum the last bits of the mantissa are the integer n. Moved to the exponent's place and given the
    exponent's bias, they are the bits of 2**n.
    """
    bits, mantissa, bias = (32, 23, 127) if shifted == types.float32 else (64, 52, 1023)

    def codegen(context, builder, signature, args):
        integer = ir.IntType(bits)
        n = builder.shl(builder.bitcast(args[0], integer), integer(mantissa))
        return builder.bitcast(builder.add(n, integer(bias << mantissa)), args[0].type)

    return shifted(shifted), codegen


@inline
def exp(x):
    """e**x.

    x = n ln 2 + r with an integer n and |r| <= ln 2 / 2, so e**x = 2**n e**r, and e**r is a polynomial.
    2**n is multiplied in two halves, as for the largest and the smallest results 2**n alone is out of range.
    """
    low, high, log2e, shift, ln2_high, ln2_low, half = _EXP_CONSTANTS(x)
    x = low if x < low else x  # beyond these the result is 0 or infinity anyway; NaN passes both
    x = high if x > high else x
    n = (x * log2e + shift) - shift  # adding so large a number rounds to an integer
    r = (x - n * ln2_high) - n * ln2_low  # ln 2 in two parts: n * ln2_high has no rounding error
    first = n * half + shift
    second = (n - (first - shift)) + shift
    return _EXP_POLYNOMIAL(r) * _power_of_two(first) * _power_of_two(second)


@inline
def tanh(x):
    """(e**2x - 1) / (e**2x + 1); near 0, where that cancels, x (1 + x**2 P(x**2))."""
    border, one, two = _TANH_CONSTANTS(x)
    size = abs(x)
    squared = x * x
    near = x * (one + squared * _TANH_POLYNOMIAL(squared))
    far = one - two / (exp(size + size) + one)
    far = -far if x < 0 else far
    return near if size < border else far


@inline
def sigmoid(x):
    """1 / (1 + e**-x)."""
    (one,) = _ONE(x)
    return one / (one + exp(-x))


@inline
def scaled_erfc(z):
    """e**(z * z) erfc(z) for z >= 0: a function that falls slowly, from 1 towards 1 / (z sqrt(pi)).

    (1 + 2 z) times it is nearly constant, and t = (z - 3) / (z + 3) maps all of z >= 0 to -1 <= t < 1.
    """
    one, two, three, largest = _ERFC_CONSTANTS(z)
    z = largest if z > largest else z
    linear, above = one + two * z, z + three
    inverse = one / (linear * above)  # one division for both
    t = (z - three) * linear * inverse
    return _ERFCX_POLYNOMIAL(t) * above * inverse


@inline
def erf(x):
    """2 / sqrt(pi) times the integral of e**(-t * t) from 0 to x: x P(x**2) near 0, else 1 - erfc(x)."""
    (one,) = _ONE(x)
    size = abs(x)
    squared = x * x
    far = one - exp(-squared) * scaled_erfc(size)
    far = -far if x < 0 else far
    return x * _ERF_POLYNOMIAL(squared) if size < one else far
