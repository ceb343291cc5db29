"""The baseline: words counted, and logistic regression."""

import sys

import numpy as np
import pytest
from finetune_cases import MORE_ROWS

from minibert.comparison.baseline import TfIdfBaseline
from minibert.errors import ConfigError, MissingExtraError

TEXTS, LABELS = [text for text, _ in MORE_ROWS], np.array([label for _, label in MORE_ROWS])


def test_it_learns_words():
    baseline = TfIdfBaseline(TEXTS, LABELS)
    probabilities = baseline(["a wonderful night", "dull"])
    assert probabilities.argmax(1).tolist() == [1, 0]
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-12)


def test_its_parameters_are_a_weight_for_each_term():
    baseline = TfIdfBaseline(["a red house", "two blue cars"], np.array([0, 1]))
    terms = {"red", "house", "red house", "two", "blue", "cars", "two blue", "blue cars"}
    assert baseline.num_parameters == len(terms) + 1


def test_what_is_stored_is_the_same():
    baseline = TfIdfBaseline(TEXTS, LABELS)
    np.testing.assert_array_equal(TfIdfBaseline.loaded(baseline.dumped())(TEXTS), baseline(TEXTS))


def test_without_words_or_the_extra(monkeypatch):
    with pytest.raises(ConfigError, match="cannot learn from these texts"):
        TfIdfBaseline(["!", "?"], np.array([0, 1]))
    monkeypatch.setitem(sys.modules, "sklearn.pipeline", None)
    with pytest.raises(MissingExtraError, match="eval"):
        TfIdfBaseline(TEXTS, LABELS)
