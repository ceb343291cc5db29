"""GELU in both forms and its derivatives, for use inside other compiled loops: see `vector_math`.

In float32 the exact form is one polynomial. Phi(x) - 1/2 is odd, x P(x**2), and so is what the derivative adds to 1/2;
beyond |x| = 5.6 both are 1/2 to all of float32's digits. That is half the time of an exponential and a division, and
errs by less than 2 eps of Phi. In float64, where a polynomial would be too long, the tail is computed itself.
"""

import math

from minibert.kernels.vector_math import exp, horner, inline, same, scaled_erfc, sigmoid
from numba import types
from numba.extending import overload

_NORMAL_CONSTANTS = same(1, 0.5, math.sqrt(0.5), 1 / math.sqrt(2 * math.pi))
_TANH_CONSTANTS = same(2 * math.sqrt(2 / math.pi), 0.044715, 3, 1, 400)

_BORDER = 5.6
_POLYNOMIAL_CONSTANTS = same(_BORDER, 2 / _BORDER**2, 0, 0.5, 1)

# in t = 2 (x / 5.6)**2 - 1: (Phi(x) - 1/2) / x, and the same with x phi(x) added; Chebyshev nodes, to 1.7e-7 and 2.7e-7
_CDF = (
    0.126259596, -0.0630516096, 0.0469807734, -0.0383335617, 0.0319709478, -0.026440117, 0.0209390895, -0.0151486651,
    0.0109829437, -0.00900810198, 0.00534627565, -0.000963908072, 0.00078290069, -0.00188229389, 0.000851458475,
)  # fmt: skip
_GRAD = (
    0.126416647, -0.0642821492, 0.0518070942, -0.0509790387, 0.0567065736, -0.0648022658, 0.0714278265, -0.0741733238,
    0.0675145415, -0.0505210145, 0.0404942783, -0.0397754053, 0.0232648013, -0.00143191366, 0.00226217321,
    -0.00833425424, 0.00369122035,
)  # fmt: skip
_CDF_POLYNOMIAL = horner(_CDF, _CDF)
_GRAD_POLYNOMIAL = horner(_GRAD, _GRAD)


@inline
def gelu(x):
    """x Phi(x), the exact form."""
    return x * _cdf(x)


@inline
def gelu_grad(x):
    """d/dx (x Phi(x)) = Phi(x) + x phi(x)."""
    return _grad(x)


@inline
def gelu_tanh(x):
    """x (1 + tanh(w)) / 2 with w = sqrt(2 / pi) (x + 0.044715 x**3). Note (1 + tanh(w)) / 2 = sigmoid(2 w)."""
    slope, cubic, _, _, _ = _TANH_CONSTANTS(x)
    return x * sigmoid(slope * (x + cubic * x * x * x))


@inline
def gelu_tanh_grad(x):
    """d/dx (x s) = s + x s' with s = sigmoid(v), v = 2 w, s' = s (1 - s) v'.

    With e = e**-|v|, s (1 - s) = e / (1 + e)**2 for either sign of v, and no digits cancel. Beyond |x| = 20, where e is
    next to 0, v' must not become infinite: 0 times that would be NaN.
    """
    slope, cubic, three, one, most = _TANH_CONSTANTS(x)
    v = slope * (x + cubic * x * x * x)
    e = exp(-abs(v))
    inverse = one / (one + e)
    s = e * inverse if v < 0 else inverse
    square = x * x
    square = most if square > most else square
    return s + x * e * inverse * inverse * slope * (one + three * cubic * square)


def _cdf(x):
    raise NotImplementedError("for compiled code only")


def _grad(x):
    raise NotImplementedError("for compiled code only")


@overload(_cdf, jit_options={"forceinline": True})
def _choose_cdf(x):
    return (lambda x: _cdf_single(x)) if x == types.float32 else (lambda x: _normal(x)[0])


@overload(_grad, jit_options={"forceinline": True})
def _choose_grad(x):
    return (lambda x: _grad_single(x)) if x == types.float32 else (lambda x: _grad_double(x))


@inline
def _cdf_single(x):
    """Phi(x) = 1/2 + x P(x**2)."""
    border, scale, zero, half, one = _POLYNOMIAL_CONSTANTS(x)
    y = half + x * _CDF_POLYNOMIAL(x * x * scale - one)
    y = one if x > border else y
    return zero if x < -border else y


@inline
def _grad_single(x):
    """Phi(x) + x phi(x) = 1/2 + x Q(x**2). Adding 0 x makes it NaN where x is infinite, as the product rule does."""
    border, scale, zero, half, one = _POLYNOMIAL_CONSTANTS(x)
    y = half + x * _GRAD_POLYNOMIAL(x * x * scale - one)
    y = one if x > border else y
    y = zero if x < -border else y
    return y + zero * x


@inline
def _normal(x):
    """(Phi(x), e**(-x * x / 2)): the normal distribution function, and its density before scaling.

    The tail beyond |x| is erfc(|x| / sqrt(2)) / 2; computed itself, and not as 1 - erf, it keeps all its digits.
    """
    one, half, sqrt_half, _ = _NORMAL_CONSTANTS(x)
    bell = exp(-half * x * x)
    tail = half * bell * scaled_erfc(abs(x) * sqrt_half)
    return (tail if x < 0 else one - tail), bell


@inline
def _grad_double(x):
    cdf, bell = _normal(x)
    return cdf + x * bell * _NORMAL_CONSTANTS(x)[3]
