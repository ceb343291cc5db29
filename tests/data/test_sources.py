"""Text comes in whole and in order, and every kind of bad input is named with its place."""

import gzip
import io
import json
import os
import re

import pytest

from minibert.data import sources, text_streams
from minibert.data.corpora import resolve
from minibert.data.sources import read_documents
from minibert.errors import DataError


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(*paths):
    return list(read_documents(paths))


def refusal(*paths):
    with pytest.raises(DataError) as caught:
        read(*paths)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_blank_line_starts_a_document(tmp_path):
    path = write(tmp_path / "a.txt", "One.\nStill one.\n\n \t\n\nTwo.\n")
    assert read(path) == ["One.\nStill one.", "Two."]


@pytest.mark.parametrize("ending", ["\n", "", "\n\n\n"])
def test_the_last_line_needs_no_end(tmp_path, ending):
    assert read(write(tmp_path / "a.txt", "One.\n\nTwo." + ending)) == ["One.", "Two."]


def test_byte_order_mark_and_windows_line_ends(tmp_path):
    path = write(tmp_path / "a.txt", b"\xef\xbb\xbfOne.\r\nMore.\r\n\r\nTwo.\r\n")
    assert read(path) == ["One.\nMore.", "Two."]


def test_jsonl_holds_a_document_a_line(tmp_path):
    lines = [json.dumps({"text": "One.\n\nStill one.", "id": 7}), "", json.dumps({"text": "二。"}), '{"text": " "}']
    assert read(write(tmp_path / "a.jsonl", "\n".join(lines))) == ["One.\n\nStill one.", "二。"]


@pytest.mark.parametrize("name", ["a.txt.gz", "a.jsonl.gz"])
def test_gzip_of_either(tmp_path, name):
    text = '{"text": "One."}\n' if "jsonl" in name else "One.\n"
    assert read(write(tmp_path / name, gzip.compress(text.encode()))) == ["One."]


def test_a_folder_is_read_recursively_in_order_of_names(tmp_path):
    for name in ("b.txt", "a/z.txt", "a/b.md", "c.jsonl", ".hidden.txt", ".git/x.txt", "picture.png", "empty.txt"):
        content = "" if name == "empty.txt" else json.dumps({"text": name}) if name == "c.jsonl" else name
        write(tmp_path / name, content)
    assert read(tmp_path) == ["b.txt", "c.jsonl", "a/b.md", "a/z.txt"]


def test_several_paths_in_the_given_order(tmp_path):
    a, b = write(tmp_path / "a.txt", "A."), write(tmp_path / "b.log", "B.")
    assert read(b, a, b) == ["B.", "A.", "B."]


def stdin(monkeypatch, content):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_standard_input(monkeypatch):
    stdin(monkeypatch, b"One.\n\nTwo.\n")
    assert read("-") == ["One.", "Two."]


def test_resolved_standard_input_can_be_read_again(monkeypatch):
    stdin(monkeypatch, b"One.\n\nTwo.\n")
    documents = resolve("-")
    assert list(documents) == list(documents) == ["One.", "Two."]


def test_empty_standard_input(monkeypatch):
    stdin(monkeypatch, b"")
    assert "standard input is empty" in refusal("-")


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 1000])
def test_documents_do_not_depend_on_where_the_file_is_cut(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(text_streams, "CHUNK_BYTES", chunk)
    path = write(tmp_path / "a.txt", "\ufeffDéjà vu — 你好。😀\r\n\r\nNaïve.\r\n")
    assert read(path) == ["Déjà vu — 你好。😀", "Naïve."]
    bad = write(tmp_path / "b.txt", "你好".encode() + b"\xe4\xbd" + b"x")
    assert "byte offset 6 " in refusal(bad)


@pytest.mark.parametrize("separator", ["\n", " "])
def test_an_endless_document_is_cut_and_nothing_is_lost(tmp_path, monkeypatch, separator):
    monkeypatch.setattr(sources, "LONGEST_DOCUMENT", 1000)
    monkeypatch.setattr(text_streams, "CHUNK_BYTES", 100)
    words = [f"word{i}" for i in range(2000)]
    documents = read(write(tmp_path / "a.txt", separator.join(words)))
    assert len(documents) > 5
    assert max(map(len, documents)) < 1200
    assert " ".join(documents).split() == words


def test_missing_path(tmp_path):
    assert "no such file or folder" in refusal(tmp_path / "none.txt")


@pytest.mark.parametrize("content", ["", "\n \n\t\n", "\ufeff"])
@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.txt.gz"])
def test_a_file_without_text(tmp_path, name, content):
    data = content.encode()
    message = refusal(write(tmp_path / name, gzip.compress(data) if name.endswith(".gz") else data))
    assert f"{name} is empty" in message


def test_a_folder_without_text(tmp_path):
    write(tmp_path / "picture.png", b"\x89PNG")
    assert "holds no text file" in refusal(tmp_path)
    write(tmp_path / "a.txt", "")
    assert "empty" in refusal(tmp_path)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_invalid_utf8_names_the_byte(tmp_path, compress):
    content = "é".encode() * 1_000_000 + b"\xff more"
    name = "a.txt.gz" if compress is gzip.compress else "a.txt"
    message = refusal(write(tmp_path / name, compress(content)))
    assert "byte offset 2000000 " in message
    assert "0xff" in message
    assert name in message


def test_a_character_cut_off_at_the_end(tmp_path):
    assert "byte offset 3 " in refusal(write(tmp_path / "a.txt", b"abc\xe4\xbd"))


def test_nul_bytes(tmp_path):
    message = refusal(write(tmp_path / "a.txt", b"text " * 300_000 + b"\0" + b"text"))
    assert "NUL byte at byte offset 1500000" in message


def test_binary_file_and_utf16(tmp_path):
    assert "binary file" in refusal(write(tmp_path / "a.txt", b"\x7fELF\x02\x01\x01\0\0\0\0\0" * 20))
    assert "UTF-16" in refusal(write(tmp_path / "b.txt", "Hello, world.".encode("utf-16")))


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("9" * 10_000, "not valid JSON|no field `text`"),
        ("[]", "no field `text`"),
        ('{"body": "x"}', "no field `text`"),
        ('{"text": null}', "no field `text`"),
        (r'{"text": "\ud800"}', "surrogate"),
        (r'{"text": "a\u0000b"}', "NUL"),
    ],
)
def test_a_bad_json_line_is_named(tmp_path, line, what):
    message = refusal(write(tmp_path / "a.jsonl", '{"text": "fine"}\n\n' + line + "\n"))
    assert "a.jsonl, line 3:" in message
    assert re.search(what, message)


def test_an_endless_json_line_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "LONGEST_JSON", 1000)
    monkeypatch.setattr(text_streams, "CHUNK_BYTES", 100)
    path = write(tmp_path / "a.jsonl", '{"text": "fine"}\n' + json.dumps({"text": "long " * 1000}) + "\n")
    assert "a.jsonl, line 2: longer than 1000 characters" in refusal(path)


def test_gzips_in_a_row_are_one_text_and_zeros_behind_them_padding(tmp_path, monkeypatch):
    pieces = [os.urandom(n).hex() for n in (10, 5000, 1, 700)]
    packed = b"".join(gzip.compress(piece.encode()) for piece in pieces)
    for size in (1, 7, 1000, 1 << 20):  # of what is read at a time
        monkeypatch.setattr(text_streams, "CHUNK_BYTES", size)
        for data in (packed, packed + bytes(3000)):
            assert read(write(tmp_path / "a.txt.gz", data)) == ["".join(pieces)]
    assert "gzip" in refusal(write(tmp_path / "a.txt.gz", packed + b"x"))


def test_a_compressed_bomb(tmp_path):
    path = write(tmp_path / "a.txt.gz", gzip.compress(b"a" * (1 << 20)) * 30)
    assert "decompresses to more than 200 times its size" in refusal(path)


def test_damaged_gzip(tmp_path):
    whole = gzip.compress(os.urandom(50_000).hex().encode())
    assert "incomplete gzip" in refusal(write(tmp_path / "cut.txt.gz", whole[:-20_000]))
    assert "gzip" in refusal(write(tmp_path / "not.txt.gz", b"plain text"))
    flipped = bytearray(whole)
    flipped[-5000] ^= 0xFF
    assert "gzip" in refusal(write(tmp_path / "flipped.txt.gz", bytes(flipped)))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refusal(tmp_path / "pipe")


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = write(tmp_path / "a.txt", "One.")

    def denied(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", denied)
    assert "cannot be read (Permission denied)" in refusal(path)
