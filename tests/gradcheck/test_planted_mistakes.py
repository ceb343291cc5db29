"""Does the gradient check see a mistake? Plausible wrong backward passes, each of which must be caught."""

import numpy as np
import pytest

from minibert import ops
from minibert.gradcheck import check_direction, check_gradients, check_op

RNG = np.random.default_rng(0)
X, GAMMA, BETA = RNG.normal(size=(5, 7)), RNG.normal(size=7), RNG.normal(size=7)
W, B = RNG.normal(size=(7, 7)), RNG.normal(size=7)  # square, so that a transpose fits
Q, K, V = RNG.normal(size=(3, 2, 3, 5, 7))


def linear_transposed(dy, cache):
    dx, dweight, dbias = ops.linear_backward(dy, cache)
    return dx, dweight.T, dbias


def linear_weight_not_transposed(dy, cache):
    _, dweight, dbias = ops.linear_backward(dy, cache)
    return dy @ cache.weight, dweight, dbias


def linear_mean_for_sum(dy, cache):
    dx, dweight, _ = ops.linear_backward(dy, cache)
    return dx, dweight, dy.mean(0)


def norm_without_the_mean(dy, cache):
    g = cache.gamma * dy
    _, dgamma, dbeta = ops.layer_norm_backward(dy, cache)
    return cache.rstd * (g - cache.xhat * (g * cache.xhat).mean(-1, keepdims=True)), dgamma, dbeta


def norm_without_the_variance(dy, cache):
    g = cache.gamma * dy
    _, dgamma, dbeta = ops.layer_norm_backward(dy, cache)
    return cache.rstd * (g - g.mean(-1, keepdims=True)), dgamma, dbeta


def norm_wrong_sign(dy, cache):
    dx, dgamma, dbeta = ops.layer_norm_backward(dy, cache)
    return dx, -dgamma, dbeta


def gelu_without_the_density(dy, cache):
    return dy * cache.cdf


def attention_without_the_row_term(dout, cache):
    _, dk, dv, _ = ops.attention_backward(dout, cache)
    dscores = cache.probs * (dout @ cache.v.swapaxes(-1, -2))
    return cache.scale * dscores @ cache.k, dk, dv, None


def attention_without_scale(dout, cache):
    dq, dk, dv, _ = ops.attention_backward(dout, cache)
    return dq, dk / cache.scale, dv, None


def attention_swaps_keys_and_values(dout, cache):
    dq, dk, dv, _ = ops.attention_backward(dout, cache)
    return dq, dv, dk, None


def gelu_one_wrong_element(dy, cache):
    dx = ops.gelu_backward(dy, cache)
    dx[3, 2] += 1e-5 * abs(dx).max()
    return dx


def gelu_not_a_number(dy, cache):
    dx = ops.gelu_backward(dy, cache)
    dx[0, 0] = np.nan
    return dx


@pytest.mark.parametrize(
    ("forward", "mistake", "args"),
    [
        (ops.linear, linear_transposed, (X, W, B)),
        (ops.linear, linear_weight_not_transposed, (X, W, B)),
        (ops.linear, linear_mean_for_sum, (X, W, B)),
        (ops.layer_norm, norm_without_the_mean, (X, GAMMA, BETA, 1e-3)),
        (ops.layer_norm, norm_without_the_variance, (X, GAMMA, BETA, 1e-3)),
        (ops.layer_norm, norm_wrong_sign, (X, GAMMA, BETA, 1e-3)),
        (ops.gelu, gelu_without_the_density, (X,)),
        (ops.gelu, gelu_one_wrong_element, (X,)),
        (ops.gelu, gelu_not_a_number, (X,)),
        (ops.attention, attention_without_the_row_term, (Q, K, V, None, 0.4)),
        (ops.attention, attention_without_scale, (Q, K, V, None, 0.4)),
        (ops.attention, attention_swaps_keys_and_values, (Q, K, V, None, 0.4)),
    ],
)
def test_a_wrong_backward_is_caught(forward, mistake, args):
    worst = max(check_op(forward, mistake, *args), key=lambda error: np.nan_to_num(error.relative_error, nan=np.inf))
    assert not worst.relative_error <= 1e-6


def test_the_report_names_the_wrong_element():
    (error,) = check_op(ops.gelu, gelu_one_wrong_element, X)
    assert error.index == (3, 2)
    assert error.analytic - error.numeric == pytest.approx(
        1e-5 * abs(ops.gelu_backward(1, ops.gelu(X)[1])).max(), rel=9
    )


def test_the_random_direction_sees_one_wrong_element():
    x = {"x": X}
    good = {"x": np.cos(X)}
    bad = {"x": good["x"] + 1e-3 * (np.arange(35).reshape(5, 7) == 17)}
    assert check_direction(lambda t: np.sin(t["x"]).sum(), x, good).relative_error < 1e-9
    assert check_direction(lambda t: np.sin(t["x"]).sum(), x, bad).relative_error > 1e-6


def test_samples_check_that_many_elements_and_leave_the_inputs_alone():
    before = X.copy()
    (error,) = check_gradients(lambda t: np.sin(t["x"]).sum(), {"x": X}, {"x": np.cos(X)}, samples=6)
    assert error.checked == 6
    np.testing.assert_array_equal(X, before)
