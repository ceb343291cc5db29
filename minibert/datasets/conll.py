"""Sentences a word a line, as in the CoNLL shared tasks: columns beside each word, a blank line after each sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from minibert.data.text_streams import text_of, whole_lines
from minibert.datasets.text_checks import MOST_COLUMNS, listed
from minibert.errors import DataError

Columns = dict[str, list]
DOCUMENT = "-DOCSTART-"  # CoNLL-2003 begins each document with a line like this


def read_conll(path: Path, column_names: Sequence[str] | None = None) -> Columns:
    """Read sentences; each row holds a list for each column, one entry a word.

    Columns are separated by tabs, if the line has one, or else by spaces.

    Parameters
    ----------
    path : Path
        Also with .gz.
    column_names : list of str, optional
        By default the first is `tokens`, the last `tags`, and those between are `column_2`, `column_3`, ...

    Raises
    ------
    DataError
        The file is empty or no clean UTF-8 text, or a line has another number of columns; it names the line.
    """
    names = None if column_names is None else list(column_names)
    sentences: list[list[list[str]]] = []  # of words of columns
    inside = False
    for number, line in whole_lines(text_of(path), str(path)):
        fields = _fields(line)
        if not fields or fields[0] == DOCUMENT:
            inside = False
            continue
        names = names or _default_names(len(fields), f"{path}, line {number}")
        if len(fields) != len(names):
            raise DataError(
                f"{path}, line {number}: {len(fields)} columns, but there should be {len(names)} ({listed(names)})"
            )
        if "" in fields:
            raise DataError(f"{path}, line {number}: column {fields.index('') + 1} is empty")
        if not inside:
            sentences.append([])
        inside = True
        sentences[-1].append(fields)
    if not sentences:
        raise DataError(f"{path} is empty: it holds no word")
    return {name: [[word[i] for word in sentence] for sentence in sentences] for i, name in enumerate(names)}


def _fields(line: str) -> list[str]:
    if "\t" in line:
        return [field.strip(" ") for field in line.strip(" ").split("\t")] if line.strip("\t ") else []
    return [field for field in re.split(" +", line) if field]


def _default_names(n: int, where: str) -> list[str]:
    if n > MOST_COLUMNS:
        raise DataError(f"{where}: {n:,} columns; there may be {MOST_COLUMNS:,}")
    if n < 2:
        raise DataError(f"{where}: one column; a word and its tag must be separated by a tab or by spaces")
    return ["tokens", *(f"column_{i}" for i in range(2, n)), "tags"]
