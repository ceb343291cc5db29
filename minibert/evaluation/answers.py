"""Answers to questions, as SQuAD scores them (Rajpurkar et al. 2016, arXiv:1606.05250; 2018, arXiv:1806.03822)."""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from minibert.errors import DataError

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise_answer(text: str) -> str:
    """Lower case, without ASCII punctuation and English articles, white space as single spaces."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(answers: Sequence[str | Sequence[str]], predictions: Sequence[str]) -> float:
    """EM = 1/N sum_i max_a [normalise(prediction_i) = normalise(a)],  a over the true answers of question i.

    Parameters
    ----------
    answers : N texts, or N lists of texts that are each right
        An empty list, or an empty text, says that the question cannot be answered: "" is right then.
    predictions : N texts

    Raises
    ------
    DataError
        The numbers differ, there is nothing, or something is no text.
    """
    return float(exact_matches(answers, predictions).mean())


def token_f1(answers: Sequence[str | Sequence[str]], predictions: Sequence[str]) -> float:
    """F1 = 1/N sum_i max_a 2 c / (|p| + |a|),  c the number of words that prediction p and answer a share.

    Words of the normalised texts are counted as often as they occur. If either has none, the score is 1 if
    both have none, else 0. Parameters and errors as of `exact_match`.
    """
    return float(token_f1s(answers, predictions).mean())


def exact_matches(answers: Sequence[str | Sequence[str]], predictions: Sequence[str]) -> np.ndarray:
    """Return the exact match of each question, (N,): their mean is `exact_match`; a bootstrap resamples them."""
    return _best(lambda a, p: float(normalise_answer(a) == normalise_answer(p)), answers, predictions)


def token_f1s(answers: Sequence[str | Sequence[str]], predictions: Sequence[str]) -> np.ndarray:
    """Return the token F1 of each question, (N,)."""
    return _best(_f1, answers, predictions)


def _f1(answer: str, prediction: str) -> float:
    a, p = normalise_answer(answer).split(), normalise_answer(prediction).split()
    if not a or not p:
        return float(a == p)
    shared = sum((Counter(a) & Counter(p)).values())
    return 2 * shared / (len(a) + len(p))


def _best(
    score: Callable[[str, str], float], answers: Sequence[str | Sequence[str]], predictions: Sequence[str]
) -> np.ndarray:
    if len(answers) != len(predictions) or not len(predictions):
        raise DataError(f"there are {len(answers)} questions with answers but {len(predictions)} predictions")
    best = []
    for i, (several, prediction) in enumerate(zip(answers, predictions, strict=True)):
        several = [several] if isinstance(several, str) else list(several)
        if not all(isinstance(text, str) for text in [*several, prediction]):
            raise DataError(f"question {i}: answers and prediction must be texts")
        # As in SQuAD's own script: answers of which nothing is left, such as "the", do not count beside others.
        real = [answer for answer in several if normalise_answer(answer)] or [""]
        best.append(max(score(answer, prediction) for answer in real))
    return np.array(best)
