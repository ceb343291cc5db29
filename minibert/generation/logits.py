"""What is done to the logits of the next token before one is chosen: pure functions, in the order of `process`."""

import numpy as np

from minibert.generation.settings import GenerationSettings
from minibert.ops.attention import softmax


def process(logits: np.ndarray, history: np.ndarray, s: GenerationSettings) -> np.ndarray:
    """Repetition penalty; then, if tokens are drawn, temperature, top_k, top_p, in this order (Hugging Face's).

    logits (B, V), history (B, V) boolean: which tokens the text holds  ->  scores (B, V), minus infinity where a
    token is not to be drawn.
    """
    scores = penalise_repetition(logits, history, s.repetition_penalty)
    if s.samples:
        scores = keep_nucleus(keep_best(scores / s.temperature, s.top_k), s.top_p)
    return scores


def penalise_repetition(scores: np.ndarray, history: np.ndarray, penalty: float) -> np.ndarray:
    """Divide the scores of tokens that occurred by the penalty, or multiply them where they are negative.

    So a penalty above 1 always lowers them (Keskar et al. 2019, section 4.1, with the correction for the sign that
    everybody uses). scores (B, V), history (B, V)  ->  (B, V).
    """
    if penalty == 1:
        return scores
    return np.where(history, np.where(scores < 0, scores * penalty, scores / penalty), scores)


def keep_best(scores: np.ndarray, k: int) -> np.ndarray:
    """Keep the k highest scores of each row, and their equals (Fan et al. 2018); k = 0 keeps all. (B, V) -> (B, V)."""
    V = scores.shape[1]
    if k == 0 or k >= V:
        return scores
    least = np.partition(scores, V - k, axis=1)[:, V - k, None]  # (B, 1) the k-th highest
    return np.where(scores < least, -np.inf, scores)


def keep_nucleus(scores: np.ndarray, p: float) -> np.ndarray:
    """Keep the fewest tokens whose probabilities add up to p, at least one (Holtzman et al. 2019). (B, V) -> (B, V).

    From the least probable on, tokens go as long as they make at most 1 - p together.
    """
    if p == 1:
        return scores
    order = np.argsort(scores, axis=1, kind="stable")  # (B, V) ascending
    below = softmax(np.take_along_axis(scores, order, 1)).cumsum(1)  # (B, V)
    goes = below <= 1 - p
    goes[:, -1] = False
    removed = np.empty_like(goes)
    np.put_along_axis(removed, order, goes, 1)
    return np.where(removed, -np.inf, scores)


def draw(scores: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Draw a token from softmax(scores): the first whose cumulated probability exceeds a uniform number in [0, 1).

    scores (B, V), uniform (B,)  ->  tokens (B,).
    """
    cumulated = softmax(scores.astype(np.float64)).cumsum(1)  # (B, V)
    goal = uniform * cumulated[:, -1]  # the last one is 1 but for rounding
    return (cumulated > goal[:, None]).argmax(1)
