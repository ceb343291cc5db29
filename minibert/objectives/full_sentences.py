"""RoBERTa's inputs: whole sentences, across the borders of documents, until a sequence is full.

It is the format FULL-SENTENCES of Liu et al. (2019), section 4.2.
"""

from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from minibert.objectives.next_sentence import Corpus


class Packed(NamedTuple):
    """Tokens start..stop-1 of one document, then of the next: one range a document, a separator between two."""

    ranges: list[tuple[int, int]]


def full_sentences(corpus: Corpus, max_tokens: int, rng: np.random.Generator) -> Iterator[Packed]:
    """Yield the sequences of one pass over the documents, in random order of documents.

    A sequence takes sentences as long as they fit into `max_tokens`, separators counted; where a document ends, it goes
    on with the next. A sentence longer than a sequence is cut into pieces. The first sequence has a limit drawn
    at random, so that another pass sees other sequences.
    """
    ranges, room = [], int(rng.integers(1, max_tokens + 1))
    for place in rng.permutation(len(corpus.documents)):
        first, end = (int(s) for s in corpus.document_starts[corpus.documents[place] : corpus.documents[place] + 2])
        ends = corpus.sentence_starts[first : end + 1].tolist()
        here = ends[0]
        while here < ends[-1]:
            stop = ends[bisect_right(ends, here + room) - 1]  # of the last sentence that fits
            if stop <= here and not ranges:
                stop = here + room  # a sentence that fits into no sequence: cut it
            if stop > here:
                ranges.append((here, stop))
                room -= stop - here
                here = stop
            if here < ends[-1]:
                yield Packed(ranges)
                ranges, room = [], max_tokens
        room -= 1  # the separator before the next document
        if room < 1:
            yield Packed(ranges)
            ranges, room = [], max_tokens
    if ranges:
        yield Packed(ranges)
