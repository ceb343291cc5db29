"""Tables in text files: values separated by commas (CSV) or tabs (TSV), the names of the columns in the first row."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from minibert.data.text_streams import text_of, whole_lines
from minibert.datasets.text_checks import MOST_COLUMNS, listed
from minibert.errors import DataError

LONGEST_FIELD = 4_000_000  # characters; the csv module's own limit is 131,072, less than a long document
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")  # not 007, which is a name
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][-+]?[0-9]+)?")

Columns = dict[str, list]


def read_csv(path: Path, column_names: Sequence[str] | None = None) -> Columns:
    """Read comma-separated values; fields that hold commas, quotes or line ends stand in double quotes (RFC 4180).

    Windows line ends become plain ones, in fields too. Blank lines are left out. A column of integers alone becomes
    integers, of numbers floats; an empty field is None in such a column, and an empty string in others.

    Parameters
    ----------
    path : Path
        Also with .gz.
    column_names : list of str, optional
        For a file without a first row of names.

    Raises
    ------
    DataError
        The file is empty or no clean UTF-8 text, its quoting is broken, a row has too few or too many fields, or the
        names are unusable. The message names the file and the line.
    """
    return _read(path, column_names, delimiter=",", quoting=csv.QUOTE_MINIMAL)


def read_tsv(path: Path, column_names: Sequence[str] | None = None) -> Columns:
    """Read tab-separated values. A quote is a character like any other, as in GLUE. The rest is as in `read_csv`."""
    return _read(path, column_names, delimiter="\t", quoting=csv.QUOTE_NONE)


def typed(column: list[str]) -> list:
    """Return a column of integers or numbers as such, with None where it is empty; any other as it is."""
    some = [value for value in column if value]
    for pattern, number in ((_INTEGER, int), (_NUMBER, float)):
        if some and all(pattern.fullmatch(value) for value in some):
            return [number(value) if value else None for value in column]
    return column


def _read(path: Path, names: Sequence[str] | None, **dialect: object) -> Columns:
    rows = _rows(path, **dialect)
    if names is None:
        line, names = next(rows, (0, None))
        if names is None:
            raise DataError(f"{path} is empty: its first row must name the columns")
        names = [name.strip() for name in names]
        _check_names(names, f"{path}, line {line}")
    columns: list[list[str]] = [[] for _ in names]
    for line, row in rows:
        if len(row) != len(names):
            raise DataError(
                f"{path}, line {line}: {len(row)} fields, but there are {len(names)} columns ({listed(names)}); "
                "put a field that holds the separator in double quotes"
            )
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    if not columns or not columns[0]:
        raise DataError(f"{path} holds no row of data")
    return {name: typed(column) for name, column in zip(names, columns, strict=True)}


def _rows(path: Path, **dialect: object) -> Iterator[tuple[int, list[str]]]:
    """Yield (line on which it begins, fields) of each row that is not blank."""
    lines = (line + "\n" for _, line in whole_lines(text_of(path), str(path)))
    reader = csv.reader(lines, strict=True, **dialect)
    limit = csv.field_size_limit(LONGEST_FIELD)
    try:
        while True:
            line = reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise DataError(f"{path}, line {line}: broken quoting ({_why(str(error))})") from error
            if row:
                yield line, row
    finally:
        csv.field_size_limit(limit)


def _why(reason: str) -> str:
    """The csv module's reason in words of the file."""
    if "field larger than" in reason:
        return f"a field of more than {LONGEST_FIELD:,} characters: perhaps a double quote is never closed"
    if "new-line character" in reason:
        return "a carriage return outside of quotes: save the file with line ends of Unix or Windows"
    if "unexpected end of data" in reason:
        return "the double quote that opens a field in this row is never closed"
    return f"{reason}: write a double quote inside of a field twice"


def _check_names(names: Sequence[str], where: str) -> None:
    if "" in names:
        raise DataError(f"{where}: column {names.index('') + 1} has no name")
    if len(names) > MOST_COLUMNS:
        raise DataError(f"{where}: {len(names):,} columns; there may be {MOST_COLUMNS:,}")
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise DataError(f"{where}: two columns are called {twice[0]!r:.100}")
