"""What no Transformer is needed for: counted words, and logistic regression."""

import time
from typing import Any

import numpy as np

from minibert.comparison.baseline import TfIdfBaseline
from minibert.study.cells import Cell
from minibert.study.reviews import Reviews
from minibert.study.run import scores

STRENGTHS = (1.0, 10.0, 100.0)  # C, one over the weight of L2


def run_baseline(cell: Cell, reviews: Reviews) -> dict[str, Any]:
    """Train and test TF-IDF of words and pairs of words with logistic regression. It reads whole reviews.

    C is chosen by the validation part. Raises `MissingExtraError` without scikit-learn.
    """
    train, tried = reviews.labelled(cell.labels), []
    for strength in STRENGTHS:
        start = time.perf_counter()
        model = TfIdfBaseline(train["text"], np.asarray(train["label"]), strength, least=2)
        seconds = time.perf_counter() - start
        right = model(reviews.validation["text"]).argmax(-1) == np.asarray(reviews.validation["label"])
        tried.append((float(right.mean()), strength, seconds, model))
    _, strength, seconds, model = max(tried, key=lambda one: one[0])
    found = scores(np.asarray(reviews.test["label"]), model(reviews.test["text"]).argmax(-1))
    return {
        **cell._asdict(),
        **found,
        "seconds": seconds,
        "C": strength,
        "tried": [{"C": C, "validation": score} for score, C, *_ in tried],
        "trainable_parameters": model.num_parameters,
        "train_reviews": len(train),
    }
