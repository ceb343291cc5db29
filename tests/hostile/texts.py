"""Text corpora, and labelled data of every format."""

import gzip
import json
import os

from hostile.damage import labelled
from hostile.reader import LONG, Reader, bytes_in, file_cases, json_cases

from minibert.data.sources import LONGEST_DOCUMENT, read_documents
from minibert.datasets.load import load_dataset

MEBIBYTE = 2**20
LINES = b"".join(b'{"text": "The document %d.", "label": %d}\n' % (i, i % 2) for i in range(20))


def bomb(piece, times):
    """A gzip file of a few kilobytes that holds `times` times a piece of a mebibyte: members in a row are one file."""
    return gzip.compress(piece * (MEBIBYTE // len(piece))) * times


def no_text():
    """{name: bytes} of what is no text in any format."""
    return {
        "nothing": b"",
        "white space": b" \n\r\n\t\n" * 100,
        "a byte order mark alone": b"\xef\xbb\xbf",
        "a NUL": b"text\0text",
        "NULs": bytes(1000),
        "a mebibyte of NULs": bytes(MEBIBYTE),
        "UTF-16": "text,label\nSome text,1\n".encode("utf-16"),
        "UTF-16 without mark": "text,label\nSome text,1\n".encode("utf-16-be"),
        "UTF-32": "text,label\nSome text,1\n".encode("utf-32"),
        "Latin-1": "text,label\nCaf\xe9 au lait,1\n".encode("latin-1"),
        "half a surrogate pair": b"text,label\n\xed\xa0\x80,1\n",
        "overlong UTF-8": b"text,label\n\xc0\xaf,1\n",
        "beyond Unicode": b"text,label\n\xf4\x90\x80\x80,1\n",
        "cut in a character": "text,label\né".encode()[:-1],
        "a stray byte": b"text,label\n" + b"some text,1\n" * 1000 + b"\x80\n",
        "a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 10,
        "a pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94.",
        "a zip": b"PK\x03\x04" + bytes(100),
        "a gzip by another name": gzip.compress(b"text,label\na,1\n"),
    }


def gzips(good):
    """{name: bytes} of what is no gzip of a text."""
    whole = gzip.compress(good, mtime=0)
    cases = {f"gzip of {name}": gzip.compress(data, mtime=0) for name, data in no_text().items()}
    cases |= {f"gzip cut at {n}": whole[:n] for n in range(1, len(whole), max(1, len(whole) // 25))}
    cases |= {
        "no gzip": good,
        "an empty gzip file": b"",
        "a magic number alone": b"\x1f\x8b",
        "an unknown method": whole[:2] + b"\x09" + whole[3:],
        "reserved flags": whole[:3] + b"\xe0" + whole[4:],
        "a name without end": whole[:3] + b"\x08" + whole[4:10] + b"n" * 1000,
        "an extra field beyond the end": whole[:3] + b"\x04" + whole[4:10] + b"\xff\xff",
        "a wrong sum": whole[:-8] + bytes(4) + whole[-4:],
        "a wrong length": whole[:-4] + b"\xff\xff\xff\xff",
        "rubbish behind it": whole + b"rubbish",
        "a gzip of NULs, 100 MiB": bomb(b"\0", 100),
        "a gzip of one letter, 40 MiB": bomb(b"a", 40),
        "a gzip in a gzip": gzip.compress(whole, mtime=0),
    }
    return cases


# Corpora ------------------------------------------------------------------------------------------------

PLAIN = "The first document.\nIts second line, with é.\n\nThe second document.\n".encode()
CORPORA = {"a.txt": PLAIN, "a.jsonl": LINES, "b.txt.gz": gzip.compress(PLAIN), "b.jsonl.gz": gzip.compress(LINES)}


def make_corpora(folder):
    for name, data in CORPORA.items():
        (folder / name).write_bytes(data)


def read_corpus(folder, name):
    """Documents are clean text, and not longer than they may be."""
    for document in read_documents([folder / name if name else folder]):
        assert document.strip()
        assert "\0" not in document
        document.encode()
        assert name.endswith((".jsonl", ".jsonl.gz")) or len(document) <= LONGEST_DOCUMENT + MEBIBYTE


def link(folder, name, target):
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(target)


def json_lines():
    """{name: line} of what is no line of a table with texts."""
    return {
        "no JSON": b"{",
        "a list": b"[]",
        "a number": b"3",
        "a text": b'"text"',
        "null": b"null",
        "no end": b'{"text": "a"',
        "two objects": b'{"text": "a"} {"text": "b"}',
        "a key twice": b'{"text": "a", "text": "b"}',
        "half a surrogate pair": b'{"text": "\\ud800"}',
        "a NUL": b'{"text": "a\\u0000b"}',
        "100,000 lists in each other": b"[" * 100_000,
        "objects in each other": b'{"text":' * 100_000,
        "lists in a field": b'{"text": "a", "more": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        "an integer of 5,000 digits": b'{"text": "a", "label": ' + b"7" * 5000 + b"}",
        "a million empty lists": b'{"text": "a", "more": [' + b"[]," * 10**6 + b"[]]}",
        "a line of 9 million letters": b'{"text": "' + b"a" * 9_000_000 + b'"}',
        "a line of 9 million letters and a snowman": '{"text": "\N{SNOWMAN}'.encode() + b"a" * 9_000_000 + b'"}',
        "a line of 30 million spaces": b" " * 30_000_000 + b"x",
        "a mark in the middle": b'\xef\xbb\xbf{"text": "a"}',
        "single quotes": b"{'text': 'a'}",
        "a comment": b'// {"text": "a"}',
        "a control character": b'{"text": "\x01"}',
    }


def corpus_reader(folder):
    make_corpora(folder)
    cases, swapped = {}, {}
    for name in CORPORA:
        packed, good = name.endswith(".gz"), PLAIN if "txt" in name else LINES
        cases |= dict(file_cases(name))
        cases |= {f"{name}: {w}": bytes_in(name, data) for w, data in (gzips(good) if packed else no_text()).items()}
    for what, line in json_lines().items():
        cases[f"a.jsonl: {what}"] = bytes_in("a.jsonl", LINES + line + b"\n" + LINES)
        if len(line) < MEBIBYTE:
            cases[f"b.jsonl.gz: {what}"] = bytes_in("b.jsonl.gz", gzip.compress(LINES + line + b"\n" + LINES, mtime=0))
    for label, value in labelled().items():
        swapped[f"a.jsonl: text = {label}"] = bytes_in("a.jsonl", json.dumps({"text": value}).encode())
        swapped[f"a.jsonl: line = {label}"] = bytes_in("a.jsonl", json.dumps(value).encode() + b"\n")
        swapped[f"a.jsonl: more = {label}"] = bytes_in("a.jsonl", json.dumps({"text": "a", "more": value}).encode())
    cases["a folder: no text in it"] = ("", lambda f: [os.rename(f / n, f / f"{n}.x") for n in CORPORA])
    cases["a folder: a bad file among the good"] = ("", lambda f: (f / "a.txt").write_bytes(b"\xff"))
    cases["a folder: a link to itself as a file"] = ("", lambda f: link(f, "a.txt", "a.txt"))
    cases["a folder: a pipe among the files"] = ("", lambda f: os.mkfifo(f / "c.txt"))
    cases["a folder: a link to nothing"] = ("", lambda f: link(f, "c.txt", "nothing"))
    cases["a folder: a link to a device"] = ("", lambda f: link(f, "c.txt", "/dev/zero"))
    cases["a folder: a link to itself as a folder"] = ("", lambda f: link(f, "d", "."))
    cases["a folder: 100 folders in each other"] = ("", lambda f: f.joinpath(*["d"] * 100).mkdir(parents=True))
    cases["a folder: a name with a line feed"] = ("", lambda f: (f / "a\nb.txt").write_bytes(b"text"))
    odd = os.fsdecode(b"\xff.txt")
    cases["a folder: a name that is no UTF-8"] = ("", lambda f: (f / odd).write_bytes(b"x"))
    cases |= {f"a.txt: {name}": bytes_in("a.txt", data) for name, data in TEXTS.items()}
    return Reader(make_corpora, read_corpus, list(CORPORA), cases, corpus_accepts(cases), swapped)


TEXTS = {  # odd, and still text
    "a byte order mark": b"\xef\xbb\xbf" + PLAIN,
    "Windows line ends": PLAIN.replace(b"\n", b"\r\n"),
    "carriage returns alone": PLAIN.replace(b"\n", b"\r"),
    "a line of 20 million letters": b"a" * 20_000_000,
    "a line of 5 million words": b"a " * 5_000_000,
    "a million empty lines": b"\n" * 10**6 + b"a",
    "20 million emoji": "\N{GRINNING FACE}".encode() * 5_000_000,
    "control characters": b"a\x01\x02\x1b[31mb\n",
    "marks in the middle": b"a\xef\xbb\xbfb\n",
    "combining characters": b"a" + "\u0301".encode() * 100_000,
    "right-to-left marks": "a\u202eb\n".encode(),
    "characters that are none": "\ufffe\uffff\n".encode(),
}


LINKS = "a corpus may be a folder of texts, or a link"


def corpus_accepts(cases):
    folders = [
        "a link to itself as a folder",
        "100 folders in each other",
        "a name with a line feed",
        "a name that is no UTF-8",
    ]
    accepted = {f"a.txt: {name}": "any UTF-8 without NUL is text" for name in TEXTS}
    accepted |= {f"a folder: {name}": "links between folders are not followed; names do not matter" for name in folders}
    accepted |= {f"{name}: {what}": LINKS for name in CORPORA for what in ("a link to a folder", "a folder")}
    accepted |= {"a.txt: a link to another file": LINKS}
    padding = "zeros behind a gzip are padding"
    accepted |= {f"{name}: 256 MiB of nothing behind it": padding for name in CORPORA if name.endswith(".gz")}
    return {name: why for name, why in accepted.items() if name in cases}


# Labelled data ------------------------------------------------------------------------------------------

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
