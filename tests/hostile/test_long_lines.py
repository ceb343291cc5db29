"""A line of a gibibyte: a corpus is read piece by piece, a table is refused before the line is in memory."""

import os
import tracemalloc

import pytest

import minibert
from minibert.data.sources import LONGEST_DOCUMENT, read_documents
from minibert.errors import DataError

PIECE, PIECES = b"a" * 2**24, 64
ROOM = 64 * 2**20  # bytes


@pytest.mark.slow
def test_a_line_of_a_gibibyte(tmp_path):
    text = tmp_path / "a.txt"
    with text.open("wb") as file:
        for _ in range(PIECES):
            file.write(PIECE)
    tables = [tmp_path / f"a.{suffix}" for suffix in ("jsonl", "csv", "tsv", "conll")]
    for path in tables:
        os.link(text, path)
    tracemalloc.start()
    try:
        assert LONGEST_DOCUMENT <= len(next(read_documents([text]))) < LONGEST_DOCUMENT + 2**20
        for path in tables:
            with pytest.raises(DataError, match="longer than 8000000 characters"):
                minibert.load_dataset(str(path))
        with pytest.raises(DataError, match="longer than 8000000 characters"):
            next(read_documents([tables[0]]))
        assert tracemalloc.get_traced_memory()[1] < ROOM
    finally:
        tracemalloc.stop()
