"""TF-IDF with logistic regression: what counting words gives, in seconds. A Transformer should be worth more."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np

from minibert.errors import ConfigError, MissingExtraError

NAME = "tf-idf"
MANY = 1000  # texts from which on words that occur in one of them alone are left out


class TfIdfBaseline:
    """Words and pairs of words, weighted by how few texts they occur in, and a linear classifier on them.

    Parameters
    ----------
    texts : list of str
        To learn from.
    labels : (N,) classes 0..C-1, each of which occurs
    strength : float
        C, one over the weight of L2.
    least : int, optional
        In how many texts a word must occur to count. None: 1, of many texts 2.

    Raises
    ------
    MissingExtraError
        scikit-learn is not installed.
    ConfigError
        No text has a word.
    """

    def __init__(
        self, texts: Sequence[str], labels: np.ndarray, strength: float = 10.0, least: int | None = None
    ) -> None:
        try:
            from sklearn.feature_extraction.text import TfidfVectorizer
            from sklearn.linear_model import LogisticRegression
            from sklearn.pipeline import make_pipeline
        except ImportError as error:
            raise MissingExtraError(
                'the baseline needs scikit-learn, which is not installed: pip install "minibert-numpy[eval]"'
            ) from error
        least = least or (2 if len(texts) >= MANY else 1)
        features = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=least)
        self.pipeline = make_pipeline(features, LogisticRegression(C=strength, max_iter=1000))
        try:
            self.pipeline.fit(list(texts), labels)
        except ValueError as error:
            raise ConfigError(f"the baseline cannot learn from these texts ({error})") from error

    def __call__(self, texts: list[str]) -> np.ndarray:
        """Return probabilities (N, C)."""
        return self.pipeline.predict_proba(list(texts))

    @property
    def num_parameters(self) -> int:
        """The weights and biases of the classifier; the weights of words are counted, not learned."""
        classifier: Any = self.pipeline[-1]
        return classifier.coef_.size + classifier.intercept_.size

    def dumped(self) -> bytes:
        """Return what would be stored of it."""
        return pickle.dumps(self)
