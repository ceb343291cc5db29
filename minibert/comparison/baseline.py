"""TF-IDF with logistic regression: what counting words gives, in seconds. A Transformer should be worth more."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from minibert.errors import ConfigError, MissingExtraError

NAME = "tf-idf"
LEARNED = ("coef_", "intercept_", "classes_")  # of the classifier
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
        least = least or (2 if len(texts) >= MANY else 1)
        self.pipeline = _pipeline({"min_df": least}, {"C": strength, "max_iter": 1000})
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
        """Return what would be stored of it: the terms, and four arrays. Nothing is pickled."""
        counted, classifier = self.pipeline
        terms = "\n".join(sorted(counted.vocabulary_, key=counted.vocabulary_.get))  # no term holds a line feed
        learned = {name: getattr(classifier, name) for name in LEARNED}
        file = io.BytesIO()
        np.savez(file, terms=np.frombuffer(terms.encode(), np.uint8), idf=counted.idf_, **learned)
        return file.getvalue()

    @classmethod
    def loaded(cls, stored: bytes) -> Self:
        """Return the baseline again."""
        arrays = np.load(io.BytesIO(stored))
        terms = arrays["terms"].tobytes().decode().split("\n")
        baseline = cls.__new__(cls)
        baseline.pipeline = _pipeline({"vocabulary": {term: i for i, term in enumerate(terms)}}, {})
        counted, classifier = baseline.pipeline
        counted.idf_ = arrays["idf"]
        for name in LEARNED:
            setattr(classifier, name, arrays[name])
        return baseline


def _pipeline(counted: dict[str, Any], classifier: dict[str, Any]) -> Any:
    """What is counted, and the classifier, with further options of scikit-learn for each."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
    except ImportError as error:
        raise MissingExtraError(
            'the baseline needs scikit-learn, which is not installed: pip install "minibert-numpy[eval]"'
        ) from error
    features = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, **counted)
    return make_pipeline(features, LogisticRegression(**classifier))
