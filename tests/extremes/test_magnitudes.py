"""No op makes an infinity or a NaN of numbers whose true result is a float: forward, backward, both backends."""

import numpy as np
import pytest
from extreme_cases import (
    BACKENDS,
    DTYPES,
    EACH_CASE,
    arguments,
    everywhere,
    fits,
    floats,
    results,
    somewhere,
    true_results,
)

pytest.importorskip("minibert.kernels", reason="needs the extra `numba`")

# One number of these arguments may not be the largest float: it is multiplied by numbers above 1, or added to its like,
# before a difference, a division or a weight makes it small again. What comes out is then infinite or NaN.
OVERFLOWS = {
    "layer_norm": {"gamma", "dy"},
    "add_norm": {"x", "gamma", "dy"},  # x is scaled by 1 / (1 - rate) first
    "attention": {"q", "k", "v", "dy"},
    "linear_gelu": {"x", "weight", "dy"},
    "feed_forward": {"x", "w_1", "b_1", "w_2", "dy"},
    "low_rank": {"x", "a", "b", "dy"},
    "smoothed_cross_entropy": {"logits"},  # the sum over all classes, before their mean is taken
    "linear_cross_entropy": {"x", "weight", "bias"},
}
# In these the kernel multiplies in another order than the reference, so that of the two one may overflow, and not the
# other: gamma meets the centred x before its scale does, q is scaled before it meets k, v is summed up before the
# division by the total.
ANOTHER_ORDER = {"layer_norm", "add_norm", "attention"}


def is_unexpected(found, true):
    """Whether a result is not finite where the true one fits into the type."""
    return any((fits(t) & ~np.isfinite(f)).any() for f, t in zip(found, true, strict=True))


def is_same_places(found, others):
    return all((np.isfinite(f) == np.isfinite(o)).all() for f, o in zip(found, others, strict=True))


def magnitudes(dtype):
    """Sizes that may stand in all arguments at once: products of four of them are floats."""
    info = np.finfo(dtype)
    return [0, info.smallest_subnormal, info.tiny, 1e4, float(info.max) ** 0.25]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "case"), EACH_CASE)
def test_any_size_in_any_argument(name, case, dtype):
    """In all arguments at once, and in each alone; alone, also numbers whose sums of squares are just floats."""
    usual = arguments(name, case, dtype)
    alone = [*magnitudes(dtype), float(np.finfo(dtype).max) ** 0.5 / 16]
    trials = [(floats(usual), size) for size in magnitudes(dtype)] + [
        ([n], size) for n in floats(usual) for size in alone
    ]
    for places, size in trials:
        args = usual | {n: everywhere(usual[n], size) for n in places}
        true = true_results(name, args)
        for backend in BACKENDS:
            assert not is_unexpected(results(name, args, backend), true), (places, size, backend)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "case"), EACH_CASE)
def test_one_number_is_the_largest_float(name, case, dtype):
    """It does no harm but in the arguments that are named above, where both backends say the same."""
    usual = arguments(name, case, dtype)
    for place in floats(usual):
        for seed, sign in ((0, 1), (1, -1), (2, 1)):
            args = usual | {place: somewhere(usual[place], sign * np.finfo(dtype).max, seed)}
            true = true_results(name, args)
            numpy, numba = (results(name, args, backend) for backend in BACKENDS)
            if place not in OVERFLOWS.get(name, ()):
                assert not is_unexpected(numpy, true), place
                assert not is_unexpected(numba, true), place
            elif name not in ANOTHER_ORDER:
                assert is_same_places(numpy, numba), place
            for result, t in zip(numpy + numba, true + true, strict=True):
                assert not np.isfinite(result[~fits(t / 2)]).any(), place  # no wrong number where there is none


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_said_to_overflow_does(dtype):
    for name, places in OVERFLOWS.items():
        usual = arguments(name, 0, dtype)
        for place in places:
            trials = (usual | {place: somewhere(usual[place], np.finfo(dtype).max, seed)} for seed in range(8))
            assert any(is_unexpected(results(name, args), true_results(name, args)) for args in trials), (name, place)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "case"), EACH_CASE)
def test_infinity_and_nan_spread_alike(name, case, dtype):
    """One number of one argument is infinite or NaN: the same entries of the results are finite on both backends."""
    usual = arguments(name, case, dtype)
    causal = usual.get("causal", False)
    for place in floats(usual):
        for seed, value in enumerate((np.inf, -np.inf, np.nan)):
            if (place, causal) == ("bias", True) and value != -np.inf:
                continue  # the kernel does not look at what the order hides, where the reference has 0 * NaN
            args = usual | {place: somewhere(usual[place], value, seed)}
            numpy, numba = (results(name, args, backend) for backend in BACKENDS)
            assert is_same_places(numpy, numba), (place, value)
