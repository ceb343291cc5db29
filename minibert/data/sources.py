"""Documents out of files, folders and standard input, as a stream: the text need not fit into memory."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from minibert.data.text_streams import LONGEST_LINE, chunks_of, decoded, lines_of, text_of, whole_lines
from minibert.errors import DataError
from minibert.json_text import parse

SUFFIXES = (".txt", ".text", ".md", ".rst", ".jsonl", ".ndjson")  # read in folders, also with .gz; a file may have any
LONGEST_DOCUMENT = 4_000_000  # characters; a longer text without a blank line becomes several documents
LONGEST_JSON = LONGEST_LINE


@dataclass(frozen=True)
class Documents:
    """Documents that can be read as often as needed, each time from the start: `for document in documents`."""

    name: str
    open: Callable[[], Iterator[str]]

    def __iter__(self) -> Iterator[str]:
        return self.open()


def documents_of_paths(paths: Sequence[str | Path]) -> Documents:
    """Return the documents of the paths; standard input is copied to a temporary file, to be read again."""
    name = ", ".join("standard input" if str(path) == "-" else str(path) for path in paths)
    spool = None
    if any(str(path) == "-" for path in paths):
        spool = tempfile.TemporaryFile()  # noqa: SIM115 (it is needed until the process ends)
        atexit.register(spool.close)
        shutil.copyfileobj(sys.stdin.buffer, spool)
    return Documents(name, partial(_read, list(paths), spool))


def read_documents(paths: Sequence[str | Path]) -> Iterator[str]:
    """Yield the documents of files, folders and standard input, in the given order.

    A folder stands for its text files, at any depth, in the order of their names (hidden ones are left out). "-" is
    standard input, read once. In a text file a blank line starts a new document, and more than 4 million characters
    without one are cut into several; in a `.jsonl` file each line is an object whose field `text` is a document.
    `.gz` files of either are decompressed. A byte order mark and Windows line ends are accepted.

    Raises
    ------
    DataError
        A path is missing or cannot be read; a file is empty, binary or not UTF-8, holds a NUL byte, is a damaged
        gzip or holds a line that is no such JSON object; a folder holds no text. The message says where and what to
        do.
    """
    return _read(paths, None)


def _read(paths: Sequence[str | Path], stdin: BinaryIO | None) -> Iterator[str]:
    for path in paths:
        if str(path) == "-":
            yield from _not_empty(_standard_input(stdin), "standard input")
        elif os.path.isdir(path):
            yield from _not_empty(_folder(Path(path)), f"{path}: this folder")
        else:
            yield from _not_empty(_file(Path(path)), str(path))


def _not_empty(documents: Iterator[str], name: str) -> Iterator[str]:
    first = next(documents, None)
    if first is None:
        raise DataError(f"{name} is empty: it holds no text; give a file with text in it")
    yield first
    yield from documents


def _standard_input(spool: BinaryIO | None) -> Iterator[str]:
    if spool is not None:
        spool.seek(0)
    return _paragraphs(decoded(chunks_of(spool or sys.stdin.buffer), "standard input"))


def _folder(folder: Path) -> Iterator[str]:
    found = False
    for root, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and name.lower().removesuffix(".gz").endswith(SUFFIXES):
                found = True
                yield from _file(Path(root, name))
    if not found:
        raise DataError(f"{folder}: this folder holds no text file ({', '.join(SUFFIXES)}, also with .gz)")


def _refuse(error: OSError) -> None:
    raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from error


def _file(path: Path) -> Iterator[str]:
    is_json = path.name.lower().removesuffix(".gz").endswith((".jsonl", ".ndjson"))
    chunks = text_of(path)
    return _json_texts(chunks, str(path)) if is_json else _paragraphs(chunks)


def _paragraphs(chunks: Iterator[str]) -> Iterator[str]:
    """Yield the runs of lines between blank lines."""
    document, size = [], 0
    for line in lines_of(chunks, LONGEST_DOCUMENT, at_space=True):
        blank = not line or line.isspace()
        if document and (blank or size + len(line) > LONGEST_DOCUMENT):
            yield "\n".join(document)
            document, size = [], 0
        if not blank:
            document.append(line)
            size += len(line)
    if document:
        yield "\n".join(document)


def _json_texts(chunks: Iterator[str], name: str) -> Iterator[str]:
    """Yield the field `text` of each line; lines and texts that are blank are left out."""
    for number, line in whole_lines(chunks, name, LONGEST_JSON):
        if line and not line.isspace():
            text = _json_text(line, f"{name}, line {number}")
            if text and not text.isspace():
                yield text


def _json_text(line: str, where: str) -> str:
    record = parse(line, where)
    if not isinstance(record, dict) or not isinstance(record.get("text"), str):
        raise DataError(f"{where}: no field `text` that is a string; each line must be an object with one")
    text = record["text"]
    with contextlib.suppress(UnicodeEncodeError):
        text.encode()
        if "\0" not in text:
            return text
    raise DataError(f"{where}: the field `text` holds a NUL or half a surrogate pair, which no text has; remove it")
