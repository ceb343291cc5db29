"""What can be had without a neural network: guesses that look at no context, or at one token."""

from typing import NamedTuple

import numpy as np

MOST_TOKENS = 20_000_000  # of the text that pairs are counted in: they take 16 bytes each


class Unigram(NamedTuple):
    """The best context-free guess."""

    loss: float  # nats per token
    accuracy: float


def unigram(counts: np.ndarray) -> Unigram:
    """Return what can be reached by guessing tokens by their frequency alone.

    counts (V,): how often each token occurs in the text that is to be predicted. The loss is the
    entropy of that distribution,

        H = -sum_v p_v log p_v,  p_v = counts_v / sum of counts,

    the lowest that *any* guess without context can have on this text, even one that
    knows the text's own frequencies. A model that scores below it has used the context.
    """
    p = counts[counts > 0] / counts.sum()
    return Unigram(float(-(p * np.log(p)).sum()), float(p.max()))


def bigram(training: np.ndarray, heldout: np.ndarray, vocab_size: int) -> float:
    """Return the loss (nats per token) on `heldout` of guessing from the token before, learned from `training`.

    With c(ab) the number of times that b follows a, and t(a) the number of different tokens that follow a,

        p(b | a) = (c(ab) + t(a) p(b)) / (c(a) + t(a)),   p(b) = (c(b) + 1) / (n + V)

    (Witten & Bell 1991): how much is left to what was never seen depends on how varied the followers are.
    It needs no context but one token, so a model that scores below it has used more.

    Parameters
    ----------
    training, heldout : (n,), (m,) integers
        Of a longer training text, the first 20 million tokens are counted.
    vocab_size : int
    """
    training, V = training[:MOST_TOKENS], vocab_size
    pairs, counts = np.unique(training[:-1] * V + training[1:], return_counts=True)
    follows = np.bincount(training[:-1], minlength=V)  # (V,) c(a)
    kinds = np.bincount(pairs // V, minlength=V)  # (V,) t(a)
    p = (np.bincount(training, minlength=V) + 1) / (len(training) + V)  # (V,)
    a, b = heldout[:-1], heldout[1:]
    place = np.minimum(np.searchsorted(pairs, a * V + b), len(pairs) - 1)  # (m - 1,)
    seen = np.where(pairs[place] == a * V + b, counts[place], 0)  # (m - 1,) c(ab)
    known = np.maximum(follows[a] + kinds[a], 1)  # after a token that nothing followed: p(b) alone
    q = np.where(follows[a] > 0, (seen + kinds[a] * p[b]) / known, p[b])  # (m - 1,)
    return float(-np.log(q).mean())
