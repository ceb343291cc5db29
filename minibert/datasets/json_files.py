"""Tables in JSON: an object a line (JSONL), or one list of objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from minibert.data.text_streams import text_of, whole_lines
from minibert.datasets.squad import is_squad, squad_columns
from minibert.datasets.text_checks import MOST_COLUMNS, check_text
from minibert.errors import DataError
from minibert.json_text import check_widths, parse

UNSUSPICIOUS = 1_000_000  # fields that every table may have
MOST_ABSENT = 20  # of so many fields one must be there
NO_TABLE = "no table; it must be a list of objects, or an object with such a list as `data`"

Columns = dict[str, list]


def read_jsonl(path: Path) -> Columns:
    """Read an object a line; its fields are the columns, and one that an object does not have is None.

    Blank lines are left out. Raises `DataError` naming the file and the line.
    """
    rows = []
    for number, line in whole_lines(text_of(path), str(path)):
        if line and not line.isspace():
            rows.append(_row(parse(line, f"{path}, line {number}"), f"{path}, line {number}"))
    return _columns(rows, path)


def read_json(path: Path) -> Columns:
    """Read a list of objects, such a list as the field `data`, SQuAD's nested form of it, or what is JSONL really.

    Raises `DataError` naming the file and the place.
    """
    text = _whole(path)
    if not text.strip():
        raise DataError(f"{path} is empty")
    check_widths(text, str(path), MOST_COLUMNS)
    try:
        value = parse(text, str(path), most=None)
    except DataError as error:
        if getattr(error.__cause__, "msg", "") == "Extra data":  # a second value behind the first one
            return read_jsonl(path)
        raise
    if is_squad(value):
        return squad_columns(value, path)
    if isinstance(value, dict) and "data" not in value:
        value = [value]  # JSONL of one line
    rows = value["data"] if isinstance(value, dict) else value
    if not isinstance(rows, list):
        raise DataError(f"{path}: {NO_TABLE}")
    return _columns([_row(row, f"{path}, entry {i}") for i, row in enumerate(rows)], path)


def _whole(path: Path) -> str:
    """Return the text of a file. What can be no table is refused at its first character, however much follows."""
    pieces, begin = [], ""
    for piece in text_of(path):
        pieces.append(piece)
        begin = begin or piece.lstrip()[:1]
        if begin and begin not in "[{":
            raise DataError(f"{path}: {NO_TABLE}")
    return "".join(pieces)


def _row(row: Any, where: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise DataError(f"{where}: {type(row).__name__} instead of an object; each must be like " + '{"text": ...}')
    for name, value in row.items():
        if isinstance(value, str):
            check_text(value, f"{where}: the field {name!r}")
    return row


def _columns(rows: list[dict[str, Any]], path: Path) -> Columns:
    names = dict.fromkeys(name for row in rows for name in row)
    if not names:
        raise DataError(f"{path} is empty: it holds no object with fields")
    if len(names) > MOST_COLUMNS:
        raise DataError(f"{path}: {len(names):,} columns; there may be {MOST_COLUMNS:,}")
    if (cells := len(names) * len(rows)) > UNSUSPICIOUS and cells > MOST_ABSENT * sum(map(len, rows)):
        raise DataError(f"{path}: no table, its {len(rows):,} objects have hardly a field of {len(names):,} in common")
    return {name: [row.get(name) for row in rows] for name in names}
