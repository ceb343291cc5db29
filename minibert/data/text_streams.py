"""Text out of a stream of bytes, piece by piece; what is no UTF-8 text is refused with its place."""

import codecs
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from minibert.errors import DataError

CHUNK_BYTES = 1 << 20
LONGEST_LINE = 8_000_000  # characters, where a line is taken as a whole
UNSUSPICIOUS = 1 << 24  # bytes that every .gz file may hold
GZIP = 31  # what zlib calls the format
MOST_COMPRESSED = 200  # times; text with many repetitions becomes 20 times shorter
_MEND = "give plain text saved as UTF-8"


def text_of(path: Path) -> Iterator[str]:
    """Yield the text of a file in pieces, of a `.gz` file decompressed. Raises `DataError` if it cannot be read."""
    try:
        if not os.path.exists(path):
            raise DataError(f"{path}: no such file or folder; check the path")
        if not path.is_file():
            raise DataError(f"{path}: not a regular file; pipe it in and give - as the path")
        is_gzip = path.name.lower().endswith(".gz")
        with open(path, "rb") as stream:
            chunks = chunks_of(stream)
            yield from decoded(_gunzipped(chunks, path) if is_gzip else chunks, str(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def chunks_of(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the bytes of a stream in pieces."""
    return iter(lambda: stream.read(CHUNK_BYTES), b"")


def _gunzipped(chunks: Iterator[bytes], path: Path) -> Iterator[bytes]:
    """Yield the decompressed bytes in pieces, none empty: gzips in a row are one text, and zeros behind them padding.

    Python's `gzip` reads that padding a byte at a time, which takes minutes for a gigabyte of it.

    Raises `DataError` where the file is damaged, or where the text is longer than any text whose compressed form is
    so short.
    """
    most, length, member = UNSUSPICIOUS + MOST_COMPRESSED * path.stat().st_size, 0, None
    try:
        for data in chunks:
            more = False  # that zlib holds back, because the last piece was full
            while data or more:
                if member is None:
                    data = data.lstrip(b"\0") if length else data
                    member = zlib.decompressobj(wbits=GZIP) if data else None
                if member is None:
                    break
                text = member.decompress(data, CHUNK_BYTES)
                length, more = length + len(text), len(text) == CHUNK_BYTES
                if length > most:
                    raise DataError(
                        f"{path}: decompresses to more than {MOST_COMPRESSED} times its size, which no text does: if "
                        "it is one all the same, give it as it is, not as .gz"
                    )
                if text:
                    yield text
                data = member.unconsumed_tail
                if member.eof:
                    data, more, member = member.unused_data, False, None
    except zlib.error as error:
        raise _damaged(path, str(error), length) from error
    if member is not None:
        raise _damaged(path, "it ends too early", length)


def _damaged(path: Path, why: str, length: int) -> DataError:
    return DataError(
        f"{path}: a damaged or incomplete gzip file ({why}, after {length} decompressed bytes); fetch it again"
    )


def decoded(chunks: Iterator[bytes], name: str) -> Iterator[str]:
    """Yield the text of bytes in pieces, without a byte order mark.

    Raises
    ------
    DataError
        Invalid UTF-8, or a NUL byte. Offsets count the bytes of the (decompressed) text.
    """
    offset, data, final = 0, b"", False
    while not final:
        chunk = next(chunks, b"")
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


def whole_lines(chunks: Iterator[str], name: str, longest: int = LONGEST_LINE) -> Iterator[tuple[int, str]]:
    """Yield (number, line) of the lines, without their ends. Raises `DataError` at one of `longest` characters."""
    for number, line in enumerate(lines_of(chunks, longest, at_space=False), 1):
        if len(line) >= longest:
            raise DataError(f"{name}, line {number}: longer than {longest} characters; split it into several")
        yield number, line


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


def _what_nul_means(data: bytes, offset: int) -> str:
    if offset == 0 and data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "UTF-16 text, not UTF-8"
    head = data[:4096]
    control = sum(byte < 32 and byte not in b"\t\n\r\f\v" for byte in head)
    return "a binary file, not text" if control > 0.02 * len(head) else "not clean text"
