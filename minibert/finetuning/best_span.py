"""From scores of starts and ends to an answer (Devlin et al. 2018, sections 4.2 and 4.3)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from minibert.errors import ConfigError


class Span(NamedTuple):
    """The first and the last token of an answer."""

    score: float
    start: int
    end: int


class Answer(NamedTuple):
    """An answer in the characters of its context."""

    text: str  # empty: there is none
    score: float  # of the best span, or of none
    start: int  # context[start:end]
    end: int
    null_score: float  # of "there is no answer"


def best_span(start: ArrayLike, end: ArrayLike, allowed: ArrayLike, max_length: int = 30) -> Span | None:
    """argmax of start_i + end_j over i <= j < i + max_length, both i and j allowed.

    start, end (T,) logits, allowed (T,) bool  ->  the span, or None if there is no allowed token. Of equal
    scores the first is taken. An answer may run across tokens that are not allowed only if its ends are.
    """
    if max_length < 1:
        raise ConfigError(f"max_length of an answer must be at least 1, but is {max_length}")
    start, end, allowed = np.asarray(start, float), np.asarray(end, float), np.asarray(allowed, bool)
    if not allowed.any():
        return None
    i = np.arange(len(start))
    length = i[None, :] - i[:, None] + 1  # (T, T) of the span from row to column
    valid = (length >= 1) & (length <= max_length) & allowed[:, None] & allowed[None, :]  # (T, T)
    scores = np.where(valid, start[:, None] + end[None, :], -np.inf)  # (T, T)
    first, last = np.unravel_index(scores.argmax(), scores.shape)
    return Span(float(scores[first, last]), int(first), int(last))


def best_answer(
    start_logits: ArrayLike,
    end_logits: ArrayLike,
    offsets: Sequence[Sequence[tuple[int, int]]],
    in_context: Sequence[Sequence[bool]],
    context: str,
    max_length: int = 30,
    null_threshold: float | None = None,
) -> Answer:
    """Choose the answer to one question among the best spans of its windows.

    Parameters
    ----------
    start_logits, end_logits : (W, T)
        The scores of the question's windows.
    offsets : (W, T, 2) integers
        Characters of the context, as `answer_windows` gives them.
    in_context : (W, T) bool
    context : str
    max_length : int
        In tokens.
    null_threshold : float, optional
        There may be no answer: then none is given unless the best span's score exceeds that of [CLS] by this
        much. The latter is the least of all windows, for the answer is missing only if it is in none of them.
        None: there always is one, as in SQuAD 1.1.
    """
    starts, ends = np.asarray(start_logits, float), np.asarray(end_logits, float)
    null_score = float((starts[:, 0] + ends[:, 0]).min())
    spans = [best_span(*row, max_length) for row in zip(starts, ends, in_context, strict=True)]
    found = [(span, window) for window, span in enumerate(spans) if span is not None]
    if not found:
        return Answer("", null_score, 0, 0, null_score)
    span, window = max(found, key=lambda pair: pair[0].score)
    if null_threshold is not None and not span.score - null_score > null_threshold:
        return Answer("", null_score, 0, 0, null_score)
    begin, end = offsets[window][span.start][0], offsets[window][span.end][1]
    return Answer(context[begin:end], span.score, begin, end, null_score)
