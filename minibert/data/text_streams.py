"""Text out of a stream of bytes, piece by piece; what is no UTF-8 text is refused with its place."""

import codecs
import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from minibert.errors import DataError

CHUNK_BYTES = 1 << 20
_MEND = "give plain text saved as UTF-8"


def text_of(path: Path) -> Iterator[str]:
    """Yield the text of a file in pieces, of a `.gz` file decompressed. Raises `DataError` if it cannot be read."""
    try:
        if not os.path.exists(path):
            raise DataError(f"{path}: no such file or folder; check the path")
        if not path.is_file():
            raise DataError(f"{path}: not a regular file; pipe it in and give - as the path")
        with gzip.open(path) if path.name.lower().endswith(".gz") else open(path, "rb") as stream:
            yield from decoded(stream, str(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def decoded(stream: BinaryIO, name: str) -> Iterator[str]:
    """Yield the text of a stream in pieces, without a byte order mark.

    Raises
    ------
    DataError
        Invalid UTF-8, a NUL byte, a damaged gzip. Offsets count the bytes of the (decompressed) text.
    """
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


def lines_of(chunks: Iterator[str], longest: int, at_space: bool) -> Iterator[str]:
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
