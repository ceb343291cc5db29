"""Learning from pairs through the kernels: agreement with NumPy, dropout on."""

import numpy as np
import pytest
from pair_cases import CASES, build

from minibert import backend
from minibert.tree import flatten

pytest.importorskip("numba", reason="needs the extra `numba`")


@pytest.mark.parametrize("case", CASES)
def test_both_backends_agree(case):
    model, batch = build(*case)
    loss, expected = model.loss_and_grads(**batch, dropout_key=(0, 1))
    logits = model(**batch).logits
    with backend("numba"):
        compiled, grads = model.loss_and_grads(**batch, dropout_key=(0, 1))
        np.testing.assert_allclose(model(**batch).logits, logits, rtol=1e-12, atol=1e-12)
    assert compiled == pytest.approx(loss, rel=1e-12)
    assert loss != model.loss_and_grads(**batch)[0]  # dropout was on
    largest = max(abs(gradient).max() for gradient in flatten(expected).values())
    for parameter, gradient in flatten(expected).items():
        np.testing.assert_allclose(flatten(grads)[parameter], gradient, rtol=0, atol=1e-12 * max(1, largest))
