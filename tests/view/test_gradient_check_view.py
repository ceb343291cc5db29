"""The page of a gradient check: it finds planted mistakes, and its numbers are those of NumPy."""

import numpy as np
import pytest
from browsing import click, elements, no_complaints, opened, texts
from op_cases import CASES, normal

from minibert.errors import DataError
from minibert.gradcheck import op_gradients
from minibert.ops import layer_norm, layer_norm_backward, linear, linear_backward
from minibert.view import gradient_check_view

X, WEIGHT, BIAS = normal(3, 5), normal(5, 7), normal(7)


def one_wrong(dy, cache):
    """A mistake in a single element of dweight."""
    dx, dweight, dbias = linear_backward(dy, cache)
    dweight[2, 4] *= 1.5
    return dx, dweight, dbias


def transposed(dy, cache):
    dx, dweight, dbias = linear_backward(dy, cache)
    return dx, dweight.T, dbias


def test_a_right_gradient_is_right_everywhere(browser, tmp_path):
    view = gradient_check_view(layer_norm, layer_norm_backward, *CASES["layer_norm"][0])
    opened(browser, view, tmp_path)
    assert texts(browser, ".verdict") == ["✓ every gradient is right"]
    assert texts(browser, ".row > h3") == [
        "dx: ✓ all 105 elements are right", "dgamma: ✓ all 7 elements are right", "dbeta: ✓ all 7 elements are right",
    ]  # fmt: skip
    no_complaints(browser)


@pytest.mark.parametrize("width", [390, 1280])
def test_a_wrong_element_is_found(browser, tmp_path, width):
    opened(browser, gradient_check_view(linear, one_wrong, X, WEIGHT, BIAS), tmp_path, width)
    assert texts(browser, ".verdict") == ["✗ wrong: dweight"]
    assert texts(browser, ".row > h3")[1] == "dweight: ✗ 1 of 35 elements are wrong"
    assert texts(browser, ".answer h3")[1] == "dweight[2, 4], the worst"
    analytic, numeric, errors = op_gradients(linear, one_wrong, X, WEIGHT, BIAS)["weight"]
    shown = [float(text) for text in texts(browser, ".row:nth-child(2) td.value")]
    assert shown == pytest.approx([analytic[2, 4], numeric[2, 4], errors[2, 4]], rel=1e-4)
    assert errors[2, 4] == pytest.approx(1 / 3, rel=1e-6)
    click(browser, elements(browser, ".row:nth-child(2) canvas")[0])  # its middle
    index = tuple(int(i) for i in texts(browser, ".answer h3")[1].split("[")[1].rstrip("]").split(","))
    shown = [float(text) for text in texts(browser, ".row:nth-child(2) td.value")]
    assert shown[:2] == pytest.approx([analytic[index], numeric[index]], rel=1e-4)
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    no_complaints(browser)


def test_numbers_that_are_none_are_wrong():
    def broken(dy, cache):
        dx, dweight, dbias = linear_backward(dy, cache)
        dx[0, 0] = np.nan
        return dx, dweight, dbias

    gradient = gradient_check_view(linear, broken, X, WEIGHT, BIAS).data()[0]["gradients"][0]
    assert (gradient["name"], gradient["wrong"], gradient["worst"]) == ("dx", 1, [0, 0])


def test_a_gradient_of_another_shape_is_named():
    with pytest.raises(DataError, match=r"dweight has shape \(7, 5\), but weight has \(5, 7\)"):
        gradient_check_view(linear, transposed, X, WEIGHT, BIAS)


def test_a_backward_that_is_not_written_yet():
    with pytest.raises(DataError, match=r"must return dx, dweight, dbias .*, but returned 0 arrays"):
        gradient_check_view(linear, lambda dy, cache: None, X, WEIGHT, BIAS)
