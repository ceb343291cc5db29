"""Questions about texts, in the nested JSON of SQuAD 1.1 and 2.0 (Rajpurkar et al. 2016, 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minibert.datasets.text_checks import check_text
from minibert.errors import DataError

Columns = dict[str, list]
COLUMNS = ("id", "title", "context", "question", "answers")


def is_squad(value: Any) -> bool:
    """Return whether a JSON value has SQuAD's outline: data, in it paragraphs."""
    data = value.get("data") if isinstance(value, dict) else None
    return isinstance(data, list) and bool(data) and isinstance(data[0], dict) and "paragraphs" in data[0]


def squad_columns(value: Any, path: Path) -> Columns:
    """Return id, title, context, question and answers, as Hugging Face names them, a question a row.

    `answers` is {"text": [...], "answer_start": [...]}, starts in characters of the context; both lists are empty
    for a question that the context does not answer.

    Raises
    ------
    DataError
        A field is missing, or an answer does not stand in the context where it is said to.
    """
    rows = list(_questions(value["data"], path))
    if not rows:
        raise DataError(f"{path} holds no question")
    return {name: [row[i] for row in rows] for i, name in enumerate(COLUMNS)}


def _questions(data: list, path: Path) -> Iterator[tuple]:
    for a, article in enumerate(data):
        where = f"{path}, article {a}"
        for p, paragraph in enumerate(_field(article, "paragraphs", list, where)):
            here = f"{where}, paragraph {p}"
            context = _field(paragraph, "context", str, here)
            for question in _field(paragraph, "qas", list, here):
                text = _field(question, "question", str, here)
                id, title = str(_name(question, "id", here)), _name(article, "title", where)
                answers = _answers(question, context, f"{here}, question {id or repr(text):.100}")
                yield id, title, context, text, answers


def _answers(question: dict, context: str, where: str) -> dict[str, list]:
    if question.get("is_impossible"):
        return {"text": [], "answer_start": []}
    texts, starts = [], []
    for answer in _field(question, "answers", list, where):
        text, start = _field(answer, "text", str, where), _field(answer, "answer_start", int, where)
        if start < 0 or context[start : start + len(text)] != text:
            raise DataError(
                f"{where}: the context has no {text!r:.100} at character {start}, where the answer should be"
            )
        texts.append(text)
        starts.append(start)
    return {"text": texts, "answer_start": starts}


def _name(node: dict, name: str, where: str) -> str | int:
    """A field that may be missing."""
    value = node.get(name, "")
    if type(value) not in (str, int):
        raise DataError(f"{where}: the field `{name}` is of type {type(value).__name__}; it must be a string")
    return value


def _field(node: Any, name: str, kind: type, where: str) -> Any:
    value = node.get(name) if isinstance(node, dict) else None
    if not isinstance(value, kind):
        what = "a list" if kind is list else f"of type {kind.__name__}"
        raise DataError(f"{where}: no field `{name}` that is {what}")
    return check_text(value, f"{where}: the field `{name}`") if kind is str else value
