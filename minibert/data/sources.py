"""Documents out of files, folders and standard input, as a stream: the text need not fit into memory."""

from __future__ import annotations

import atexit
import codecs
import contextlib
import gzip
import json
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from minibert.errors import DataError

SUFFIXES = (".txt", ".text", ".md", ".rst", ".jsonl", ".ndjson")  # read in folders, also with .gz; a file may have any
CHUNK_BYTES = 1 << 20
LONGEST_DOCUMENT = 4_000_000  # characters; a longer text without a blank line becomes several documents
LONGEST_JSON = 16_000_000  # characters of a line


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
    return _paragraphs(_text(spool or sys.stdin.buffer, "standard input"))


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
    name = path.name.lower()
    is_json = name.removesuffix(".gz").endswith((".jsonl", ".ndjson"))
    try:
        if not os.path.exists(path):
            raise DataError(f"{path}: no such file or folder; check the path")
        if not path.is_file():
            raise DataError(f"{path}: not a regular file; pipe it in and give - as the path")
        with gzip.open(path) if name.endswith(".gz") else open(path, "rb") as stream:
            chunks = _text(stream, str(path))
            yield from _json_texts(chunks, str(path)) if is_json else _paragraphs(chunks)
    except OSError as error:
        _refuse(OSError(error.errno, error.strerror or str(error), str(path)))


def _text(stream: BinaryIO, name: str) -> Iterator[str]:
    """Yield the decoded text in pieces; offsets in messages count the bytes of the (decompressed) text."""
    offset, data, final = 0, b"", False
    while not final:
        chunk = _read_chunk(stream, name, offset + len(data))
        data, final = data + chunk, not chunk
        if (nul := data.find(b"\0")) >= 0:
            raise DataError(
                f"{name}: {_what_nul_means(data, offset)} (NUL byte at byte offset {offset + nul}); {_MEND}"
            )
        try:
            text, used = codecs.utf_8_decode(data, "strict", final)
        except UnicodeDecodeError as error:
            at = offset + error.start
            raise DataError(
                f"{name}: invalid UTF-8 at byte offset {at} (0x{data[error.start]:02x}); {_MEND}"
            ) from error
        yield text.removeprefix("\ufeff") if offset == 0 else text
        offset, data = offset + used, data[used:]


_MEND = "give plain text saved as UTF-8"


def _read_chunk(stream: BinaryIO, name: str, offset: int) -> bytes:
    try:
        return stream.read(CHUNK_BYTES)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(
            f"{name}: a damaged or incomplete gzip file ({error}, after {offset} decompressed bytes); fetch it again"
        ) from error


def _what_nul_means(data: bytes, offset: int) -> str:
    if offset == 0 and data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "UTF-16 text, not UTF-8"
    head = data[:4096]
    control = sum(byte < 32 and byte not in b"\t\n\r\f\v" for byte in head)
    return "a binary file, not text" if control > 0.02 * len(head) else "not clean text"


def _lines(chunks: Iterator[str], longest: int, at_space: bool) -> Iterator[str]:
    """Yield lines without their ends; one longer than `longest` comes in parts, cut after a space if so wished."""
    rest = ""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split("\n")
        for line in lines:
            yield line.removesuffix("\r")
        if len(rest) >= longest:
            cut = (at_space and rest.rfind(" ") + 1) or len(rest)
            yield rest[:cut]
            rest = rest[cut:]
    if rest:
        yield rest


def _paragraphs(chunks: Iterator[str]) -> Iterator[str]:
    """Yield the runs of lines between blank lines."""
    document, size = [], 0
    for line in _lines(chunks, LONGEST_DOCUMENT, at_space=True):
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
    for number, line in enumerate(_lines(chunks, LONGEST_JSON, at_space=False), 1):
        if line and not line.isspace():
            text = _json_text(line, f"{name}, line {number}")
            if text and not text.isspace():
                yield text


def _json_text(line: str, where: str) -> str:
    if len(line) >= LONGEST_JSON:
        raise DataError(f"{where}: longer than {LONGEST_JSON} characters; split it into several documents")
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        why = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else error
        raise DataError(f"{where}: not valid JSON ({why}); each line must be an object with a field `text`") from error
    if not isinstance(record, dict) or not isinstance(record.get("text"), str):
        raise DataError(f"{where}: no field `text` that is a string; each line must be an object with one")
    text = record["text"]
    with contextlib.suppress(UnicodeEncodeError):
        text.encode()
        if "\0" not in text:
            return text
    raise DataError(f"{where}: the field `text` holds a NUL or half a surrogate pair, which no text has; remove it")
