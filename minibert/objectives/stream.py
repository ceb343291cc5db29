"""The documents of a corpus as one long text, with a separator behind each (Radford et al. 2018, section 4.1)."""

import numpy as np

from minibert.objectives.next_sentence import Corpus


class Stream:
    """Token ids by position: document, separator, document, separator, ... Nothing is copied before it is read.

    Parameters
    ----------
    corpus : Corpus
    separator : int
        The id that stands behind each document.
    """

    def __init__(self, corpus: Corpus, separator: int) -> None:
        begins = corpus.sentence_starts[corpus.document_starts[corpus.documents]]  # (d,)
        ends = corpus.sentence_starts[corpus.document_starts[corpus.documents + 1]]  # (d,)
        self.tokens = corpus.tokens
        self.separator = separator
        self.begins, self.sizes = begins, ends - begins
        self.starts = np.concatenate([[0], np.cumsum(self.sizes + 1)])  # (d + 1,) where documents begin in the stream

    def __len__(self) -> int:
        return int(self.starts[-1])

    def read(self, positions: np.ndarray) -> np.ndarray:
        """positions (...)  ->  the ids that stand there, (...) int64."""
        document = np.searchsorted(self.starts, positions, side="right") - 1  # (...)
        inside = positions - self.starts[document]  # (...)
        last = inside == self.sizes[document]  # (...) the separator's place
        ids = self.tokens[self.begins[document] + inside - last].astype(np.int64)  # (...)
        return np.where(last, self.separator, ids)

    def all(self) -> np.ndarray:
        """Return the whole stream: (n,) int64."""
        return self.read(np.arange(len(self)))
