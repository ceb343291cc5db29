"""Labelled data of every format."""

import gzip
import json

from hostile.damage import labelled
from hostile.reader import LONG, Reader, bytes_in, file_cases, json_cases
from hostile.texts import LINES, gzips, json_lines, no_text

from minibert.datasets.load import load_dataset

SQUAD = {"data": [{"title": "T", "paragraphs": [{"context": "It is red.", "qas": [
    {"id": "1", "question": "What colour?", "answers": [{"text": "red", "answer_start": 6}]},
    {"id": "2", "question": "Why?", "answers": [], "is_impossible": True},
]}]}]}  # fmt: skip
TABLES = {
    "a.csv": b'text,label,score\n"Good, very",pos,1.5\nBad,neg,2\nSo so,neg,\n' * 1 + b"More,pos,3\n" * 10,
    "a.tsv": b"text\tlabel\nGood\tpos\nBad\tneg\n" + b"More\tpos\n" * 10,
    "a.jsonl": LINES,
    "a.json": b"[" + LINES.replace(b"\n", b",").rstrip(b",") + b"]",
    "squad.json": json.dumps(SQUAD).encode(),
    "a.conll": b"-DOCSTART- O\n\nThe O\ncat B-X\n\nA O\ndog B-X\nran O\n",
    "b.csv.gz": gzip.compress(b"text,label\na,1\nb,2\n" * 1 + b"c,3\n" * 50, mtime=0),
}


def make_tables(folder):
    for name, data in TABLES.items():
        (folder / name).write_bytes(data)


def read_table(folder, name):
    """Columns of equal length, with names, and every row can be had."""
    dataset = load_dataset(str(folder / name))["train"]
    assert len(dataset) > 0
    assert all(isinstance(column, str) for column in dataset.column_names)
    assert {len(dataset[column]) for column in dataset.column_names} == {len(dataset)}
    assert dataset.features.keys() == set(dataset.column_names)
    assert dataset[len(dataset) - 1].keys() == set(dataset.column_names)


CSV = {
    "a quote never closed": b'text,label\n"a,1\nb,2\n',
    "a quote never closed, 5 million letters": b'text,label\n"' + b"a,1\n" * 1_300_000,
    "a quote in the middle": b'text,label\n"a"b,1\n',
    "too few fields": b"text,label\na\n",
    "too many fields": b"text,label\na,1,2\n",
    "a column twice": b"text,text\na,1\n",
    "a column without name": b"text,\na,1\n",
    "names alone": b"text,label\n",
    "100,000 columns": b",".join(b"c%d" % i for i in range(100_000)) + b"\n" + b"1," * 99_999 + b"1\n",
    "100,000 columns of one name": b"c," * 99_999 + b"c\n",
    "a carriage return in a field": b"text,label\na\rb,1\n",
    "a line of 9 million letters": b"text,label\n" + b"a" * 9_000_000 + b",1\n",
    "commas, a million": b"," * 10**6 + b"\n",
    "a NUL in quotes": b'text,label\n"\0",1\n',
    "a field of 100,000 quotes": b"text,label\n" + b'"' * 100_001 + b",1\n",
    "blank lines alone": b"\n" * 100_000,
}
CONLL = {
    "one column": b"The\ncat\n",
    "another number of columns": b"The O\ncat B X\n",
    "an empty column": b"The\t\n",
    "documents alone": b"-DOCSTART- O\n\n-DOCSTART- O\n",
    "a line of 9 million letters": b"a" * 9_000_000 + b" O\n",
    "a million columns": b"a " * 10**6 + b"O\n",
    "spaces alone": b"   \n  \n",
}
JSON = {
    "no list": b'{"data": 3}',
    "a list of numbers": b"[1, 2]",
    "a list of lists": b"[[1]]",
    "an empty list": b"[]",
    "a list of empty objects": b"[{}, {}]",
    "20,000 objects without a field in common": b"[%b]" % b",".join(b'{"k%d": 1}' % i for i in range(20_000)),
    "one object of 100,000 fields, one of none": b"[{%b}, {}]" % b",".join(b'"k%d": 1' % i for i in range(100_000)),
    "a NUL in a text": b'[{"text": "a\\u0000"}]',
    "half a surrogate pair in a text": b'[{"text": "\\udc00"}]',
    "half a surrogate pair in a name": b'[{"\\udc00": "a"}]',
    "a key twice": b'[{"text": "a", "text": "b"}]',
}


def squad_cases():
    """Each field of SQuAD's form with hostile values."""
    for path in (
        *[("data",), ("data", 0), ("data", 0, "paragraphs"), ("data", 0, "paragraphs", 0), ("data", 0, "title")],
        *[("data", 0, "paragraphs", 0, name) for name in ("context", "qas")],
        *[("data", 0, "paragraphs", 0, "qas", 0, name) for name in ("id", "question", "answers", "is_impossible")],
        *[("data", 0, "paragraphs", 0, "qas", 0, "answers", 0, name) for name in ("text", "answer_start")],
    ):
        for label, value in labelled().items():
            content = json.loads(json.dumps(SQUAD))
            *before, last = path
            node = content
            for key in before:
                node = node[key]
            node[last] = value
            where = ".".join(map(str, path))
            yield f"squad.json: {where} = {label}", bytes_in("squad.json", json.dumps(content).encode())


def table_reader(folder):
    make_tables(folder)
    cases, swapped = {}, dict(squad_cases())
    accepted = {"a.tsv: a link to another file": "whatever has lines is a table of one column"}
    for what in (LONG, "a million empty lists", "a million empty objects", "a million numbers"):
        accepted[f"squad.json: {what}"] = "labelled data may be long, and have fields that are for others"
    accepted["squad.json: a byte order mark"] = "text may begin with one"
    accepted["squad.json: a list with the content"] = "a table of one row"
    accepted["b.csv.gz: 256 MiB of nothing behind it"] = "zeros behind a gzip are padding"
    for name in TABLES:
        cases |= dict(file_cases(name))
        bad = gzips(b"text,label\na,1\nb,2\n") if name.endswith(".gz") else no_text()
        cases |= {f"{name}: {what}": bytes_in(name, data) for what, data in bad.items()}
    cases |= {f"a.csv: {what}": bytes_in("a.csv", data) for what, data in CSV.items()}
    cases |= {f"a.conll: {what}": bytes_in("a.conll", data) for what, data in CONLL.items()}
    cases |= {f"a.json: {what}": bytes_in("a.json", data) for what, data in JSON.items()}
    cases |= {f"a.jsonl: {what}": bytes_in("a.jsonl", LINES + line + b"\n") for what, line in json_lines().items()}
    cases |= dict(json_cases("squad.json"))
    for name in ("a.json", "a.jsonl"):
        for label, value in labelled().items():
            row = json.dumps({"text": "a", "label": value})
            text = f"[{row}]" if name == "a.json" else row
            swapped[f"{name}: label = {label}"] = bytes_in(name, text.encode())
    return Reader(make_tables, read_table, list(TABLES), cases, accepted, swapped)
