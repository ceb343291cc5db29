"""Metrics equal those of scikit-learn and SciPy on random cases, and refuse what they cannot score."""

import warnings

import numpy as np
import pytest
import scipy.stats
import sklearn.calibration
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from minibert.errors import ConfigError, DataError
from minibert.evaluation import (
    accuracy,
    calibration_error,
    confusion_matrix,
    f1,
    pearson,
    precision,
    recall,
    spearman,
)
from minibert.evaluation.accuracy import correct
from minibert.evaluation.calibration import reliability
from minibert.evaluation.correlation import ranks

TIGHT = 1e-12
PAIRS = {
    "precision": (precision, sklearn.metrics.precision_score),
    "recall": (recall, sklearn.metrics.recall_score),
    "f1": (f1, sklearn.metrics.f1_score),
}
OPTIONS = settings(max_examples=30, deadline=None)


def two_lists(elements, least=1, most=40):
    return st.integers(least, most).flatmap(
        lambda n: st.tuples(*[st.lists(elements, min_size=n, max_size=n) for _ in range(2)])
    )


MANY = two_lists(st.sampled_from([0, 1, 2, 5])) | two_lists(st.sampled_from(["bad", "good", "so so"]))
BINARY = two_lists(st.sampled_from([0, 1]))
LABELS = two_lists(st.lists(st.sampled_from([0, 1]), min_size=3, max_size=3))


def oracle(function, labels, predictions, average):
    """scikit-learn's answer with its default for 0 / 0, without the warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sklearn.exceptions.UndefinedMetricWarning)
        return function(labels, predictions, average=average)


@pytest.mark.parametrize("average", ["micro", "macro", "weighted", None])
@pytest.mark.parametrize("name", PAIRS)
@OPTIONS
@given(case=MANY | LABELS)
def test_averages_over_classes(name, average, case):
    ours, theirs = PAIRS[name]
    labels, predictions = map(np.array, case)
    expected = oracle(theirs, labels, predictions, average)
    np.testing.assert_allclose(ours(labels, predictions, average=average), expected, rtol=0, atol=TIGHT)


@pytest.mark.parametrize("name", PAIRS)
@OPTIONS
@given(case=BINARY)
def test_of_the_positive_class(name, case):
    ours, theirs = PAIRS[name]
    assert abs(ours(*case) - oracle(theirs, *case, "binary")) <= TIGHT
    named = [["no", "yes"][i] for i in case[0]], [["no", "yes"][i] for i in case[1]]
    if {*named[0], *named[1]} == {"no", "yes"}:
        assert ours(*named, positive="yes") == ours(*case)


@OPTIONS
@given(case=MANY | LABELS)
def test_accuracy(case):
    labels, predictions = map(np.array, case)
    assert abs(accuracy(labels, predictions) - sklearn.metrics.accuracy_score(labels, predictions)) <= TIGHT
    assert correct(labels, predictions).shape == (len(labels),)


@OPTIONS
@given(case=MANY)
def test_confusion_matrix(case):
    matrix, classes = confusion_matrix(*case)
    expected = sorted({*case[0], *case[1]})
    assert classes.tolist() == expected
    pairs = list(zip(*case, strict=True))
    assert matrix.tolist() == [[pairs.count((true, guess)) for guess in expected] for true in expected]


def test_precision_and_recall_are_not_swapped():
    labels, predictions = [1, 1, 1, 1, 0], [1, 0, 0, 0, 0]  # one found, three missed, no false alarm
    assert precision(labels, predictions) == 1
    assert recall(labels, predictions) == 0.25
    assert f1(labels, predictions) == pytest.approx(0.4, abs=TIGHT)


def test_zero_by_zero_is_zero():
    assert [m([0, 0], [0, 0]) for m in (precision, recall, f1)] == [0, 0, 0]
    assert precision([1, 0], [0, 0]) == recall([0, 0], [1, 0]) == 0


NUMBERS = two_lists(st.integers(-9, 9) | st.floats(-100, 100, width=32).map(lambda x: round(x, 3)), least=2)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(pearson, scipy.stats.pearsonr), (spearman, scipy.stats.spearmanr)],
    ids=["pearson", "spearman"],
)
@settings(max_examples=100, deadline=None)
@given(case=NUMBERS)
def test_correlations(ours, theirs, case):
    if min(len(set(values)) for values in case) == 1:
        assert np.isnan(ours(*case))
    else:
        assert abs(ours(*case) - theirs(*case).statistic) <= TIGHT


@OPTIONS
@given(values=st.lists(st.integers(-5, 5), min_size=1))
def test_ranks_with_ties(values):
    np.testing.assert_array_equal(ranks(values), scipy.stats.rankdata(values))


def test_a_correlation_survives_huge_and_tiny_numbers():
    x = np.array([1.0, 2, 4, 8, 3])
    y = np.array([2.0, 1, 5, 9, 2])
    for scale in (1e200, 1e-200):
        assert pearson(x * scale, y / scale) == pytest.approx(pearson(x, y), abs=TIGHT)
    assert pearson(x, 3 * x + 1) == pytest.approx(1, abs=TIGHT)
    assert abs(pearson(x + 1e9, -x)) <= 1


@OPTIONS
@given(seed=st.integers(0, 2**32 - 1), N=st.integers(1, 300), C=st.integers(2, 5), bins=st.integers(1, 20))
def test_calibration_error(seed, N, C, bins):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(C, 0.5), N)
    labels = rng.integers(0, C, N)
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    r = reliability(labels, probabilities, bins)
    rate, mean = sklearn.calibration.calibration_curve(right, confidence, n_bins=bins)  # bins with examples only
    some = r.count > 0
    np.testing.assert_allclose(r.accuracy[some], rate, rtol=0, atol=TIGHT)
    np.testing.assert_allclose(r.confidence[some], mean, rtol=0, atol=TIGHT)
    expected = np.abs(rate - mean) @ r.count[some] / N
    assert abs(calibration_error(labels, probabilities, bins) - expected) <= TIGHT


def test_what_is_well_calibrated_and_what_is_not():
    sure = np.tile([0.8, 0.2], (10, 1))
    assert calibration_error([0] * 8 + [1] * 2, sure) == pytest.approx(0, abs=TIGHT)
    assert calibration_error([1] * 10, sure) == pytest.approx(0.8, abs=TIGHT)
    # a confidence on an edge belongs to the bin below it, as in the paper
    np.testing.assert_array_equal(reliability([0], [[0.5, 0.5]], 2).count, [1, 0])


@pytest.mark.parametrize(
    ("labels", "predictions", "what"),
    [
        ([1, 0], [1], "2 labels but 1 predictions"),
        ([], [], "at least one"),
        ([1, None], [1, 0], "labels misses the class of example 1"),
        ([0, 1], [0.1, 0.9], "predictions holds fractions"),
        ([0, 1], [float("nan"), 1], "fractions or NaN"),
        (["a", "b"], [0, 1], "one is text"),
        ([0, 1], [[0.0, 1.0], [1.0, 0.0]], "argmax"),
        ([[0, 2]], [[0, 1]], "0 and 1 alone"),
        ([[0, 1], [1]], [0, 1], "differ in length"),
        ([b"x"], [b"x"], "integers or strings"),
    ],
)
def test_what_cannot_be_scored(labels, predictions, what):
    for metric in (accuracy, lambda a, b: f1(a, b, average="macro")):
        with pytest.raises(DataError, match=what) as caught:
            metric(labels, predictions)
        assert "\n" not in str(caught.value)


def test_binary_needs_two_classes_and_a_positive_one():
    with pytest.raises(DataError, match=r"3 classes \(0, 1, 2\)"):
        f1([0, 1, 2], [0, 1, 2])
    with pytest.raises(DataError, match="no, yes: set `positive`"):
        f1(["no", "yes"], ["no", "yes"])
    with pytest.raises(DataError, match="choose average"):
        f1([[0, 1]], [[0, 1]])
    with pytest.raises(ConfigError, match="binary, micro, macro, weighted"):
        f1([0, 1], [0, 1], average="mean")


def test_correlations_refuse_what_is_no_number():
    for bad in ([1.0, float("nan")], [1.0, float("inf")], ["a", "b"], [[1.0], [2.0]], [1.0]):
        with pytest.raises(DataError):
            pearson([1.0, 2.0], bad)
    with pytest.raises(DataError, match="at least two"):
        spearman([1.0], [1.0])


def test_calibration_refuses_logits_and_labels_out_of_range():
    half = [[0.5, 0.5], [0.5, 0.5]]
    with pytest.raises(DataError, match=r"row 1 .* softmax"):
        calibration_error([0, 1], [[0.5, 0.5], [2.0, -1.0]])
    with pytest.raises(DataError, match=r"within 0\.\.1"):
        calibration_error([0, 2], half)
    with pytest.raises(DataError, match=r"\(N, C\)"):
        calibration_error([0, 1], [0.5, 0.5])
    with pytest.raises(ConfigError, match="bins"):
        calibration_error([0, 1], half, bins=0)
