"""Next sentence prediction: pairs of segments, half of them consecutive (Devlin et al. 2018, appendix A.2).

A segment is a run of consecutive sentences, so it is a range of the corpus' tokens, and an
example is a handful of integers: text larger than memory costs nothing until it is read.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np

from minibert.errors import DataError

SHORT_RATE = 0.1  # of the pairs are made shorter than they could be, as at fine-tuning


class Corpus(Protocol):
    """What an objective asks of a corpus: see `minibert.data.tokens.TokenCorpus`."""

    tokens: np.ndarray  # (n,)
    sentence_starts: np.ndarray  # (S+1,) into tokens
    document_starts: np.ndarray  # (D+1,) into sentences
    documents: np.ndarray  # (d,) the documents of this part of the corpus


class Pair(NamedTuple):
    """Tokens first_start..first_stop-1, then tokens second_start..second_stop-1."""

    first_start: int
    first_stop: int
    second_start: int
    second_stop: int
    is_random: int  # the label: 0 = the second segment follows the first, 1 = it is from another document


def check_pairs(corpus: Corpus, part: str) -> None:
    """Raise `DataError` if no balanced pairs can be made of this part of a corpus."""
    lengths = np.diff(corpus.document_starts)[corpus.documents]
    several = int((lengths >= 2).sum())
    way_out = "choose --objective mlm, which needs no pairs, or give more documents (a blank line separates two)"
    if len(lengths) < 2:
        raise DataError(
            f"next sentence prediction needs at least two documents in the {part} part of the corpus, "
            f"which has {len(lengths)}: {way_out}"
        )
    if several == 0:
        raise DataError(
            f"next sentence prediction needs documents of two sentences or more, but all {len(lengths)} documents "
            f"in the {part} part of the corpus have one: {way_out}"
        )


def sentence_pairs(corpus: Corpus, max_tokens: int, rng: np.random.Generator) -> Iterator[Pair]:
    """Yield the pairs of one pass over the documents, in random order of documents.

    Each document is cut into chunks of about `max_tokens` tokens and two sentences or more. A
    chunk is split into A and B. With probability one half B is replaced by a run of sentences
    from *another* document, and B's own sentences go back to the next chunk. A sentence that
    stands alone, as a document or at the end of one, starts no pair: it has no next sentence, so
    it could only make a random one. (The paper's released code makes that pair; where documents are
    short, more than half of its pairs are random.)

    Parameters
    ----------
    corpus : Corpus
    max_tokens : int
        For both segments together, without the three special tokens.
    rng : np.random.Generator
        Decides everything.
    """
    documents = corpus.documents
    for place in rng.permutation(len(documents)):
        first, end = (int(s) for s in corpus.document_starts[documents[place] : documents[place] + 2])
        starts = corpus.sentence_starts[first : end + 1].tolist()
        here, last = 0, end - first
        while last - here >= 2:
            target = max_tokens if rng.random() >= SHORT_RATE else int(rng.integers(2, max_tokens + 1))
            stop = here + 2
            while stop < last and starts[stop] - starts[here] < target:
                stop += 1
            split = here + int(rng.integers(1, stop - here))
            segment_a = starts[here], starts[split]
            is_random = rng.random() < 0.5
            if is_random:
                segment_b = _elsewhere(corpus, place, target - (segment_a[1] - segment_a[0]), rng)
                here = split
            else:
                segment_b = starts[split], starts[stop]
                here = stop
            yield truncate(Pair(*segment_a, *segment_b, int(is_random)), max_tokens, rng)


def truncate(pair: Pair, max_tokens: int, rng: np.random.Generator) -> Pair:
    """Cut a pair to `max_tokens`: tokens go from the longer segment, each from a random end.

    Taking tokens one by one from the longer segment ends with two halves, or with a shorter
    segment that was not touched; how many of them go from the front is binomial.
    """
    a, b = pair.first_stop - pair.first_start, pair.second_stop - pair.second_start
    keep_b = min(b, max(max_tokens - a, max_tokens // 2))
    keep_a = min(a, max_tokens - keep_b)
    front_a, front_b = (int(rng.binomial(cut, 0.5)) for cut in (a - keep_a, b - keep_b))
    first, second = pair.first_start + front_a, pair.second_start + front_b
    return Pair(first, first + keep_a, second, second + keep_b, pair.is_random)


def _elsewhere(corpus: Corpus, place: int, length: int, rng: np.random.Generator) -> tuple[int, int]:
    """Return a run of sentences of about `length` tokens from a random document that is not number `place`."""
    other = int(rng.integers(len(corpus.documents) - 1))
    other += other >= place  # skip number `place`: a uniform draw from all the others
    first, end = (int(s) for s in corpus.document_starts[corpus.documents[other] : corpus.documents[other] + 2])
    start = int(rng.integers(first, end))
    starts = corpus.sentence_starts
    stop = start + 1
    while stop < end and starts[stop] - starts[start] < length:
        stop += 1
    return int(starts[start]), int(starts[stop])
