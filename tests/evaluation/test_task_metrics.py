"""Metrics of tasks as marks and a reduction: the same numbers as the metrics themselves."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from minibert.evaluation import entity_f1, exact_match, token_f1
from minibert.evaluation.task_metrics import (
    ACCURACY,
    ANSWERS,
    CLASSIFICATION,
    ENTITIES,
    MULTI_LABEL,
    REGRESSION,
    WORDS,
    intervals,
)

RNG = np.random.default_rng(3)
N, C = 60, 3
LABELS = RNG.integers(0, C, N)
PROBABILITIES = RNG.dirichlet(np.ones(C), N)
TAGS = ["O", "B-PER", "I-PER", "B-LOC"]
SENTENCES = [[TAGS[i] for i in RNG.integers(0, 4, RNG.integers(1, 9))] for _ in range(20)]
GUESSES = [[tag if RNG.random() < 0.7 else "O" for tag in sentence] for sentence in SENTENCES]


def value(metric, truth, predictions):
    return metric.interval(truth, predictions, resamples=20).value


def test_classification():
    found = intervals(CLASSIFICATION, LABELS, PROBABILITIES, resamples=50)
    assert found["accuracy"].value == pytest.approx(sk.accuracy_score(LABELS, PROBABILITIES.argmax(1)), rel=1e-12)
    expected = sk.f1_score(LABELS, PROBABILITIES.argmax(1), average="macro")
    assert found["macro_f1"].value == pytest.approx(expected, rel=1e-12)
    assert all(interval.low <= interval.value <= interval.high for interval in found.values())


def test_numbers():
    y = RNG.normal(size=N)
    x = y + RNG.normal(size=N)
    found = intervals(REGRESSION, y, x, resamples=50)
    assert found["pearson"].value == pytest.approx(stats.pearsonr(x, y).statistic, rel=1e-12)
    assert found["spearman"].value == pytest.approx(stats.spearmanr(x, y).statistic, rel=1e-12)


def test_several_labels():
    truth, scores = RNG.integers(0, 2, (N, C)), RNG.random((N, C))
    found = intervals(MULTI_LABEL, truth, scores, resamples=50)
    said = (scores > 0.5).astype(int)
    assert found["micro_f1"].value == pytest.approx(sk.f1_score(truth, said, average="micro"), rel=1e-12)
    assert found["accuracy"].value == pytest.approx(sk.accuracy_score(truth, said), rel=1e-12)


def test_words():
    assert value(ENTITIES, SENTENCES, GUESSES) == pytest.approx(entity_f1(SENTENCES, GUESSES), rel=1e-12)
    flat = [[tag for sentence in side for tag in sentence] for side in (SENTENCES, GUESSES)]
    assert value(WORDS, SENTENCES, GUESSES) == pytest.approx(sk.accuracy_score(*flat), rel=1e-12)


def test_answers():
    truth = [{"text": ["the red car", "a car"]}, {"text": []}, {"text": ["Rome"]}]
    said = ["car", "", "in rome"]
    texts = [answer["text"] for answer in truth]
    assert value(ANSWERS[0], truth, said) == pytest.approx(token_f1(texts, said), rel=1e-12)
    assert value(ANSWERS[1], truth, said) == pytest.approx(exact_match(texts, said), rel=1e-12)


def test_a_difference_is_that_of_the_values_and_narrower_than_two_intervals():
    a = np.eye(C)[LABELS]
    b = a.copy()
    b[:6] = np.roll(b[:6], 1, axis=1)  # six more are wrong
    marks = [ACCURACY.marks(LABELS, scores) for scores in (a, b)]
    difference = ACCURACY.difference(*marks)
    assert difference.value == pytest.approx(6 / N, rel=1e-12)
    assert difference.excludes(0)
    assert not ACCURACY.difference(marks[0], marks[0]).excludes(0)
