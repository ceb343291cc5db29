"""A line of a gibibyte: a corpus is read piece by piece, a table is refused before the line is in memory."""

import os
import time
import tracemalloc
from contextlib import contextmanager

import pytest

import minibert
from minibert.data.sources import LONGEST_DOCUMENT, read_documents
from minibert.errors import DataError

PIECE, PIECES = b"a" * 2**24, 64
ROOM = 64 * 2**20  # bytes
TIME = 2.0  # seconds of the processor
REFUSED = {
    **dict.fromkeys(["a.jsonl", "a.csv", "a.tsv", "a.conll"], "longer than 8000000 characters"),
    "a.json": "no table",
}


@contextmanager
def within_limits():
    tracemalloc.start()
    begin = time.process_time()
    try:
        yield
        assert time.process_time() - begin < TIME
        assert tracemalloc.get_traced_memory()[1] < ROOM
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_a_line_of_a_gibibyte(tmp_path):
    text = tmp_path / "a.txt"
    with text.open("wb") as file:
        for _ in range(PIECES):
            file.write(PIECE)
    for name in REFUSED:
        os.link(text, tmp_path / name)
    with within_limits():
        assert LONGEST_DOCUMENT <= len(next(read_documents([text]))) < LONGEST_DOCUMENT + 2**20
    with within_limits(), pytest.raises(DataError, match="longer than 8000000 characters"):
        next(read_documents([tmp_path / "a.jsonl"]))
    for name, what in REFUSED.items():
        with within_limits(), pytest.raises(DataError, match=what):
            minibert.load_dataset(str(tmp_path / name))
