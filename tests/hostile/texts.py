"""What is no text, no gzip of a text, and no line of JSON, whatever reads it."""

import gzip

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
