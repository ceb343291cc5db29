"""What no Transformer is needed for: counted words, and logistic regression."""

import time
from typing import Any

import numpy as np

from minibert.errors import MissingExtraError
from minibert.study.cells import Cell
from minibert.study.reviews import Reviews
from minibert.study.run import scores

STRENGTHS = (1.0, 10.0, 100.0)  # C, one over the weight of L2


def run_baseline(cell: Cell, reviews: Reviews) -> dict[str, Any]:
    """Train and test TF-IDF of words and pairs of words with logistic regression. It reads whole reviews.

    C is chosen by the validation part. Raises `MissingExtraError` without scikit-learn.
    """
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise MissingExtraError(
            'the baseline needs scikit-learn, which is not installed: pip install "minibert-numpy[eval]"'
        ) from error
    train, tried = reviews.labelled(cell.labels), []
    for strength in STRENGTHS:
        start = time.perf_counter()
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
        model = LogisticRegression(C=strength, max_iter=1000).fit(words.fit_transform(train["text"]), train["label"])
        seconds = time.perf_counter() - start
        right = model.predict(words.transform(reviews.validation["text"])) == np.asarray(reviews.validation["label"])
        tried.append((float(right.mean()), strength, seconds, words, model))
    _, strength, seconds, words, model = max(tried, key=lambda one: one[0])
    found = scores(np.asarray(reviews.test["label"]), model.predict(words.transform(reviews.test["text"])))
    return {
        **cell._asdict(),
        **found,
        "seconds": seconds,
        "C": strength,
        "tried": [{"C": C, "validation": score} for score, C, *_ in tried],
        "trainable_parameters": int(model.coef_.size + model.intercept_.size),
        "train_reviews": len(train),
    }
