"""What a learner is told about an answer: not begun, right, or where it is wrong."""

import numpy as np
import pytest

from minibert import ops
from minibert.lessons import check_backward, check_value

X = np.array([[0.5, -1.0, 2.0]])


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (None, "Exercise 1: not answered yet."),
        ([1.0, 2.0], "Exercise 1: right."),
        ([1.0, 2.1], "Exercise 1: not yet: look again."),
        ([1.0, np.nan], "Exercise 1: not yet: look again."),
        ([1.0], "Exercise 1: not yet: the shape is (1,) and should be (2,)."),
    ],
)
def test_values(answer, verdict, capsys):
    check_value(1, answer, [1.0, 2.0], "look again")
    assert capsys.readouterr().out.strip() == verdict


def test_a_right_backward(capsys):
    check_backward(2, ops.tanh, ops.tanh_backward, X)
    assert capsys.readouterr().out == "Exercise 2: right.\n"


def test_a_backward_that_is_not_begun(capsys):
    check_backward(2, ops.tanh, lambda dy, cache: None, X)
    assert capsys.readouterr().out == "Exercise 2: not answered yet.\n"


def test_a_wrong_backward_is_told_the_element_and_the_measured_slope(capsys):
    def only_the_last_is_wrong(dy, cache):
        dx = ops.tanh_backward(dy, cache)
        dx[0, 2] += 1
        return dx

    check_backward(2, ops.tanh, only_the_last_is_wrong, X)
    assert "not yet: dx[0, 2] is" in capsys.readouterr().out


def test_a_gradient_of_another_shape_is_not_yet_right(capsys):
    check_backward(2, ops.tanh, lambda dy, cache: ops.tanh_backward(dy, cache).T, X)
    assert (
        capsys.readouterr().out == "Exercise 2: not yet: dx has shape (3, 1), but x has (1, 3): they must be equal.\n"
    )


def test_a_missing_gradient_is_named(capsys):
    bias = np.zeros(3)
    check_backward(3, ops.linear, lambda dy, cache: (dy, dy), X, np.eye(3), bias)
    said = capsys.readouterr().out
    assert "not yet: backward must return dx, dweight, dbias (arrays, in this order), but returned 2 arrays" in said
