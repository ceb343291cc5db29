"""Documents of sentences of token ids, and how they are split into training and held-out documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from minibert.errors import ConfigError, DataError

COUNT_TOKENS = 1_000_000  # tokens counted at a time


@dataclass(frozen=True, eq=False)
class TokenCorpus:
    """Documents of sentences of token ids; a view of some documents shares the arrays with the whole.

    Attributes
    ----------
    tokens : np.ndarray (n,), uint16 or uint32
    sentence_starts : np.ndarray (S + 1,), int64, into `tokens`
    document_starts : np.ndarray (D + 1,), int64, into the sentences
    documents : np.ndarray (d,), int64, the documents of this view, ascending
    """

    tokens: np.ndarray
    sentence_starts: np.ndarray
    document_starts: np.ndarray
    documents: np.ndarray

    def sentence(self, i: int) -> np.ndarray:
        """Return the token ids of sentence `i` (of the whole corpus): a view, not a copy."""
        return self.tokens[self.sentence_starts[i] : self.sentence_starts[i + 1]]

    def sentences(self, document: int) -> range:
        """Return the numbers of the sentences of a document."""
        return range(int(self.document_starts[document]), int(self.document_starts[document + 1]))

    @property
    def document_sizes(self) -> np.ndarray:
        """The number of tokens of each document of this view: (d,) int64."""
        first, last = self.document_starts[self.documents], self.document_starts[self.documents + 1]
        return self.sentence_starts[last] - self.sentence_starts[first]

    @property
    def n_tokens(self) -> int:
        """The number of tokens in this view."""
        return int(self.document_sizes.sum())

    def split(self, heldout: float, seed: int, min_heldout: int = 2) -> tuple[TokenCorpus, TokenCorpus]:
        """Split the view into two, by document: (train, held out).

        Held out are documents in a random order until they make about the fraction `heldout` of the tokens, and at
        least `min_heldout` documents; a document that alone is larger than that fraction stays in training. At least
        one document stays in training. A single document is split inside: its last sentences are held out.

        Parameters
        ----------
        heldout : float
            Fraction of the tokens, 0 <= heldout < 1; 0 holds out nothing.
        seed : int
            The same seed gives the same split.
        min_heldout : int
            The fewest documents held out; pairs of sentences from different documents need two.

        Raises
        ------
        ConfigError
            `heldout` is not a fraction.
        DataError
            There is only one document, with only one sentence.
        """
        if not 0 <= heldout < 1:
            raise ConfigError(f"the held-out fraction is {heldout}; it must be at least 0 and less than 1")
        if heldout == 0:
            return self, replace(self, documents=self.documents[:0])
        if len(self.documents) == 1:
            return self._split_inside(heldout)
        sizes = self.document_sizes
        chosen = _choose(sizes, heldout * sizes.sum(), np.random.default_rng(seed), min_heldout)
        mask = np.zeros(len(sizes), bool)
        mask[chosen] = True
        return replace(self, documents=self.documents[~mask]), replace(self, documents=self.documents[mask])

    def _split_inside(self, heldout: float) -> tuple[TokenCorpus, TokenCorpus]:
        sentences = self.sentences(int(self.documents[0]))
        first, last = sentences.start, sentences.stop
        if last - first < 2:
            raise DataError("the corpus is a single sentence, so nothing can be held out of it: give more text")
        ends = self.sentence_starts[first : last + 1]
        cut = first + int(np.searchsorted(ends, ends[-1] - heldout * (ends[-1] - ends[0])))
        cut = min(max(cut, first + 1), last - 1)
        only = np.zeros(1, np.int64)
        train, held = np.array([first, cut]), np.array([cut, last])
        return replace(self, document_starts=train, documents=only), replace(self, document_starts=held, documents=only)

    def token_counts(self, vocab_size: int) -> np.ndarray:
        """Return how often each id occurs in this view: (V,) int64, read a piece at a time.

        An id outside the vocabulary is a `DataError`.
        """
        counts = np.zeros(vocab_size, np.int64)
        for piece in self._pieces():
            if piece.max() >= vocab_size:
                raise DataError(f"the tokens hold the id {piece.max()}, outside the vocabulary of {vocab_size}")
            counts += np.bincount(piece, minlength=vocab_size)
        return counts

    def _pieces(self) -> Iterator[np.ndarray]:
        """The tokens of this view, about `COUNT_TOKENS` at a time (documents that follow each other are one run)."""
        if not len(self.documents):
            return
        breaks = np.flatnonzero(np.diff(self.documents) != 1) + 1
        first = self.documents[np.concatenate(([0], breaks))]
        last = self.documents[np.concatenate((breaks, [len(self.documents)])) - 1]
        begins = self.sentence_starts[self.document_starts[first]]
        ends = self.sentence_starts[self.document_starts[last + 1]]
        waiting, size = [], 0
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
            for at in range(begin, end, COUNT_TOKENS):
                waiting.append(self.tokens[at : min(at + COUNT_TOKENS, end)])
                size += len(waiting[-1])
                if size >= COUNT_TOKENS:
                    yield np.concatenate(waiting)
                    waiting, size = [], 0
        if waiting:
            yield np.concatenate(waiting)


def _choose(sizes: np.ndarray, target: float, generator: np.random.Generator, at_least: int) -> np.ndarray:
    """The indices of randomly chosen documents whose sizes add up to about `target`."""
    at_least = min(max(at_least, 1), len(sizes) - 1)
    order = generator.permutation(len(sizes))
    order = order[sizes[order] <= target]
    if len(order) < at_least:
        return np.argsort(sizes, kind="stable")[:at_least]
    nearest = int(np.argmin(np.abs(np.cumsum(sizes[order]) - target))) + 1
    return order[: min(max(nearest, at_least), len(sizes) - 1)]
