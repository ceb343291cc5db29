"""What happens to a finished block of C while it is still in cache: bias, GELU, and the derivative of GELU."""

from minibert.kernels.gelu_math import gelu, gelu_grad, gelu_tanh, gelu_tanh_grad
from minibert.kernels.memory import prefetch, row
from numba import njit

LINE = 64  # bytes
AHEAD = 4  # rows: `other` comes from afar, in pieces too short for the processor to foresee

PLAIN, GELU, GELU_TANH, GELU_GRAD, GELU_TANH_GRAD = range(5)


@njit(error_model="numpy")
def finish(dtype, item, c, c_row, other, other_row, bias, rows, columns, kind):
    """Apply an epilogue to C (rows, columns), row by row; all operands are addresses, rows lie `_row` bytes apart.

    bias: address of (columns,) numbers that are added, or 0. Then, by `kind`: GELU and GELU_TANH write the
    activation of C to `other` and keep C; GELU_GRAD and GELU_TANH_GRAD multiply C by the derivative at `other`, and
    put the activation there in its place: whoever needs one needs the other next.
    """
    for i in range(rows):
        if kind != PLAIN and i + AHEAD < rows:
            for j in range(0, columns * item, LINE):
                prefetch(other + (i + AHEAD) * other_row + j)
        y, x = row(dtype, c + i * c_row, columns), row(dtype, other + i * other_row, columns)
        if bias != 0:
            added = row(dtype, bias, columns)
            for j in range(columns):
                y[j] += added[j]
        if kind == GELU:
            for j in range(columns):
                x[j] = gelu(y[j])
        elif kind == GELU_TANH:
            for j in range(columns):
                x[j] = gelu_tanh(y[j])
        elif kind == GELU_GRAD:
            for j in range(columns):
                y[j] *= gelu_grad(x[j])
                x[j] = gelu(x[j])
        elif kind == GELU_TANH_GRAD:
            for j in range(columns):
                y[j] *= gelu_tanh_grad(x[j])
                x[j] = gelu_tanh(x[j])
