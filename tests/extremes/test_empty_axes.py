"""Axes without elements: no sequences, no positions, no keys, no width, no targets. Nothing goes in, zeros come out."""

import numpy as np
import pytest
from extreme_cases import BACKENDS, DTYPES, EACH_CASE, arguments, results

pytest.importorskip("minibert.kernels", reason="needs the extra `numba`")

# (op, size of the axis): what has no meaning. Both backends refuse it, or NumPy warns.
REFUSED = {
    ("embedding", 7): IndexError,  # a table without rows, and ids
    **{(f"{kind}cross_entropy", 9): ValueError for kind in ("", "smoothed_", "linear_")},  # no classes
}
NO_MEAN = {("layer_norm", 7), ("add_norm", 7)}  # of no numbers


def axes(args):
    """The sizes of all axes but those of length 1, along which a bias is stretched."""
    return sorted({n for a in args.values() if isinstance(a, np.ndarray) for n in a.shape if n != 1})


def without(args, size):
    """The arguments with nothing left along each axis of a size; a bias that is stretched there is left as it is."""

    def cut(a):
        return a[tuple(slice(0 if n == size else None) for n in a.shape)] if isinstance(a, np.ndarray) else a

    return {name: cut(a) for name, a in args.items()}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "case"), EACH_CASE)
def test_an_axis_without_elements(name, case, dtype):
    """Gradients have the shapes of their arguments; both backends agree, and every number is finite."""
    usual = arguments(name, case, dtype)
    for size in axes(usual):
        if (name, size) in NO_MEAN:
            continue
        args = without(usual, size)
        if (name, size) in REFUSED:
            for backend in BACKENDS:
                with pytest.raises(REFUSED[name, size]):
                    results(name, args, backend)
            continue
        numpy, numba = (results(name, args, backend) for backend in BACKENDS)
        for a, b in zip(numpy, numba, strict=True):
            assert a.shape == b.shape, size
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 if dtype == np.float32 else 1e-12, err_msg=str(size))
        assert all(np.isfinite(x).all() for x in numpy), size


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["cross_entropy", "smoothed_cross_entropy", "linear_cross_entropy"])
def test_no_target_counts(name, dtype, backend):
    args = arguments(name, 0, dtype)
    args["labels"] = np.full_like(args["labels"], -100)
    loss, *gradients = results(name, args, backend)
    assert loss == 0
    assert not any(g.any() for g in gradients)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_no_token_in_a_text(dtype, backend):
    args = arguments("mean_pooling", 1, dtype)
    args["mask"] = np.zeros_like(args["mask"])
    for result in results("mean_pooling", args, backend):
        assert not result.any()
