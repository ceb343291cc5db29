"""Single segments for objectives without pairs: as many consecutive sentences as fit."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from minibert.objectives.next_sentence import Corpus


class Segment(NamedTuple):
    """Tokens start..stop-1."""

    start: int
    stop: int


def segments(corpus: Corpus, max_tokens: int, rng: np.random.Generator) -> Iterator[Segment]:
    """Yield the segments of one pass over the documents, in random order of documents.

    A segment holds whole sentences of one document, up to `max_tokens` tokens. A sentence longer
    than that is cut into pieces. The first cut of a document falls at a random place, so that
    another pass sees other segments.
    """
    for place in rng.permutation(len(corpus.documents)):
        first, end = (int(s) for s in corpus.document_starts[corpus.documents[place] : corpus.documents[place] + 2])
        starts = corpus.sentence_starts[first : end + 1].tolist()
        limit = int(rng.integers(1, max_tokens + 1))  # of the first segment
        here, i = starts[0], 0
        while here < starts[-1]:
            while i < len(starts) - 1 and starts[i + 1] - here <= limit:
                i += 1
            stop = starts[i] if starts[i] > here else here + limit  # no whole sentence fits: cut one
            yield Segment(here, stop)
            here, limit = stop, max_tokens
