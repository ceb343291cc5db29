"""Tables in JSON: an object a line (JSONL), or one list of objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from minibert.data.text_streams import lines_of, text_of
from minibert.datasets.json_text import check_text, parse
from minibert.datasets.squad import is_squad, squad_columns
from minibert.errors import DataError

LONGEST_LINE = 2**31 - 1

Columns = dict[str, list]


def read_jsonl(path: Path) -> Columns:
    """Read an object a line; its fields are the columns, and one that an object does not have is None.

    Blank lines are left out. Raises `DataError` naming the file and the line.
    """
    rows = []
    for number, line in enumerate(lines_of(text_of(path), LONGEST_LINE, at_space=False), 1):
        if line and not line.isspace():
            rows.append(_row(parse(line, f"{path}, line {number}"), f"{path}, line {number}"))
    return _columns(rows, path)


def read_json(path: Path) -> Columns:
    """Read a list of objects, such a list as the field `data`, SQuAD's nested form of it, or what is JSONL really.

    Raises `DataError` naming the file and the place.
    """
    text = "".join(text_of(path))
    if not text.strip():
        raise DataError(f"{path} is empty")
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":  # a second value behind the first one
            return read_jsonl(path)
        raise DataError(f"{path}, line {error.lineno}: not valid JSON ({error.msg})") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not valid JSON ({error})") from error
    if is_squad(value):
        return squad_columns(value, path)
    if isinstance(value, dict) and "data" not in value:
        value = [value]  # JSONL of one line
    rows = value["data"] if isinstance(value, dict) else value
    if not isinstance(rows, list):
        raise DataError(f"{path}: no table; it must be a list of objects, or an object with such a list as `data`")
    return _columns([_row(row, f"{path}, entry {i}") for i, row in enumerate(rows)], path)


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
    return {name: [row.get(name) for row in rows] for name in names}
