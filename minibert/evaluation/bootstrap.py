"""How far a metric could be off because the test set is a sample: bootstrap confidence intervals (Efron 1979).

Draw N of the N test examples with replacement, compute the metric, and do so R times: the spread of the R values tells
how the metric would vary over other test sets of that size. The interval is the BCa interval (bias-corrected and
accelerated; Efron 1987, "Better Bootstrap Confidence Intervals"). The plain percentile interval takes the quantiles
alpha/2 and 1 - alpha/2 of the R values; where the metric is biased or its spread depends on its value, as with an
accuracy near 1, an F1 of few positives or a perplexity, it covers the truth too seldom, on one side. BCa shifts the
quantiles by two numbers that are estimated from the data, which makes the error in coverage fall as 1/N, not 1/sqrt(N).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from minibert.errors import ConfigError, DataError

CHUNK = 1 << 22  # resampled examples that are held at a time
MOST_GROUPS = 200  # of the jackknife

Metric = Callable[..., float | np.ndarray]


class Interval(NamedTuple):
    """A metric and the interval that holds its true value with the given confidence."""

    value: float
    low: float
    high: float
    confidence: float

    def excludes(self, value: float) -> bool:
        """Return whether `value` lies outside: for a difference, `excludes(0)` says that it is no noise."""
        return not self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


def bootstrap(
    metric: Metric,
    *arrays: ArrayLike,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
    vectorized: bool = False,
) -> Interval:
    """Return a metric with its BCa bootstrap confidence interval.

    With z0 how far the resamples' median is from the value, and a, the acceleration, how fast the metric's spread
    changes with its value,

        z0 = Phi^-1(share of resamples below the value)             (ties count half)
        a  = sum_g d_g^3 / (6 (sum_g d_g^2)^(3/2)),  d_g = mean - value without the examples of group g

    the interval ends at the quantiles  Phi(z0 + (z0 + z) / (1 - a (z0 + z)))  of the resamples, for
    z = Phi^-1(alpha / 2) and Phi^-1(1 - alpha / 2). A group is one example up to 200 examples, and a 200th of them
    beyond (the skewness of sums of k examples is 1/sqrt(k) of theirs, so a stays what it is).

    Parameters
    ----------
    metric : function
        Of the arrays, returns a number: `accuracy`, `f1`, `spearman`, `lambda scores: scores.mean()`, ...
    *arrays : (N, ...)
        One entry an example, N >= 2: labels and predictions, or scores of each example. They are resampled together.
    resamples : int
        R.
    confidence : float
        1 - alpha.
    seed : int
        The same seed gives the same interval.
    vectorized : bool
        The metric takes R resamples at once, (R, N, ...), and returns (R,): `lambda scores: scores.mean(1)`.

    Returns
    -------
    Interval
        If all resamples give the same value, so do both ends. If one is NaN, both ends are.

    Raises
    ------
    ConfigError
        `resamples` or `confidence` cannot be.
    DataError
        The arrays differ in length, or there are less than two examples.
    """
    arrays = _check(arrays, resamples, confidence)
    N, rng = len(arrays[0]), np.random.default_rng(seed)
    compute = _compute(metric, arrays, vectorized)
    (value,) = compute(np.arange(N)[None])
    rows = max(1, CHUNK // N)
    sizes = [min(rows, resamples - start) for start in range(0, resamples, rows)]
    values = np.concatenate([compute(rng.integers(0, N, (size, N))) for size in sizes])  # (R,)
    without = np.concatenate([compute(kept) for kept in _leave_out(N, rng)])  # (G,)
    low, high = bca_ends(float(value), values, without, confidence)
    return Interval(float(value), low, high, confidence)


def paired_bootstrap(
    metric: Metric,
    shared: ArrayLike | tuple[ArrayLike, ...],
    predictions_a: ArrayLike,
    predictions_b: ArrayLike,
    **options: float,
) -> Interval:
    """Return the difference metric(shared, a) - metric(shared, b) of two models, with its interval.

    Both are scored on the same resampled examples, so what makes an example hard for both cancels: the interval is
    narrower than two separate ones suggest, which may overlap though the difference is real.

    Parameters
    ----------
    metric : function
        As in `bootstrap`, of the shared arrays and then one model's predictions.
    shared : (N, ...), or a tuple of such
        What both are compared with, the labels; `()` if the metric takes nothing but scores.
    predictions_a, predictions_b : (N, ...)
        Of the two models, or their scores of each example.
    **options
        `resamples`, `confidence`, `seed`, `vectorized`: see `bootstrap`.
    """
    common = shared if isinstance(shared, tuple) else (shared,)

    def difference(*arrays: np.ndarray) -> float | np.ndarray:
        *first, a, b = arrays
        return metric(*first, a) - metric(*first, b)

    return bootstrap(difference, *common, predictions_a, predictions_b, **options)


def bca_ends(value: float, values: np.ndarray, without: np.ndarray, confidence: float) -> tuple[float, float]:
    """Return the ends of the BCa interval: see `bootstrap`.

    value of all examples, values (R,) of the resamples, without (G,) each group in turn.
    """
    from scipy.special import ndtr, ndtri  # Phi and its inverse

    if not np.isfinite([value, *values, *without]).all():
        return float("nan"), float("nan")
    if values.min() == values.max():
        return float(values[0]), float(values[0])
    d = without.mean() - without  # (G,)
    squares = (d**2).sum()
    a = (d**3).sum() / (6 * squares**1.5) if squares > 0 else 0.0
    below = ((values < value).mean() + (values <= value).mean()) / 2
    z0 = ndtri(np.clip(below, 0.5 / len(values), 1 - 0.5 / len(values)))  # finite, even if no resample is below
    z = z0 + ndtri([(1 - confidence) / 2, (1 + confidence) / 2])  # (2,)
    low, high = np.quantile(values, ndtr(z0 + z / (1 - a * z)))
    return float(low), float(high)


def _compute(metric: Metric, arrays: list[np.ndarray], vectorized: bool) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function of indices (r, n) that gives the metric of each row of them, (r,)."""

    def compute(index: np.ndarray) -> np.ndarray:
        if vectorized:
            result = np.asarray(metric(*(array[index] for array in arrays)), np.float64)
            if result.shape != index.shape[:1]:
                raise ConfigError(
                    f"of {len(index)} resamples the vectorized metric returned shape {result.shape}, not "
                    f"({len(index)},): it must reduce axis 1, the examples"
                )
            return result
        return np.array([metric(*(array[row] for array in arrays)) for row in index], np.float64)

    return compute


def _leave_out(N: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield the indices (1, n) of all examples without those of group g, for each g; groups are random."""
    order = np.arange(N) if N <= MOST_GROUPS else rng.permutation(N)
    groups = np.arange(N) % min(N, MOST_GROUPS)
    for g in range(min(N, MOST_GROUPS)):
        yield np.sort(order[groups != g])[None]


def _check(arrays: Sequence[ArrayLike], resamples: int, confidence: float) -> list[np.ndarray]:
    if resamples < 1:
        raise ConfigError(f"resamples must be at least 1, but is {resamples}")
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence must be between 0 and 1, but is {confidence}")
    checked = [_rows(array) for array in arrays]
    lengths = [len(array) for array in checked]
    if not lengths or min(lengths) < 2 or min(lengths) < max(lengths):
        raise DataError(f"a bootstrap needs arrays of one length, at least two examples; got lengths {lengths}")
    return checked


def _rows(array: ArrayLike) -> np.ndarray:
    """As an array with an entry an example; lists of different lengths become an array of lists."""
    try:
        return np.atleast_1d(np.asarray(array))
    except ValueError:
        ragged = np.empty(len(array), object)
        ragged[:] = list(array)
        return ragged
