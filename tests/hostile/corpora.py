"""Text corpora: files, gzips of them, and folders."""

import gzip
import json
import os

from hostile.damage import labelled
from hostile.reader import Reader, bytes_in, file_cases
from hostile.texts import LINES, MEBIBYTE, gzips, json_lines, no_text

from minibert.data.sources import LONGEST_DOCUMENT, read_documents

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
    accepted |= {f"{name}: a link to a folder": LINKS for name in CORPORA}
    accepted |= {"a.txt: a link to another file": LINKS}
    padding = "zeros behind a gzip are padding"
    accepted |= {f"{name}: 256 MiB of nothing behind it": padding for name in CORPORA if name.endswith(".gz")}
    return {name: why for name, why in accepted.items() if name in cases}
