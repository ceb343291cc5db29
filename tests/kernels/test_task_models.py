"""Models with the heads of tasks through the kernels: agreement with NumPy, dropout on."""

import numpy as np
import pytest
from task_cases import CASES, build, without_smoothing

from minibert import backend
from minibert.tree import flatten

pytest.importorskip("numba", reason="needs the extra `numba`")


@pytest.mark.parametrize("name", CASES)
def test_both_backends_agree(name):
    model, batch = build(name)
    loss, expected = model.loss_and_grads(**batch, dropout_key=(0, 1))
    outputs = model(**without_smoothing(batch))
    with backend("numba"):
        compiled, grads = model.loss_and_grads(**batch, dropout_key=(0, 1))
        found = model(**without_smoothing(batch))
    assert compiled == pytest.approx(loss, rel=1e-12)
    for field in outputs:
        np.testing.assert_allclose(found[field], outputs[field], rtol=1e-12, atol=1e-12)
    for parameter, gradient in flatten(expected).items():
        np.testing.assert_allclose(flatten(grads)[parameter], gradient, rtol=0, atol=1e-12, err_msg=parameter)
