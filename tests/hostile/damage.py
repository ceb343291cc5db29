"""How files are damaged: JSON texts that no reader should take, and changes at random from a seed."""

import json
import os

NUMBERS = [-1, 0, 1, 3, 10**6, 2**31, 2**53 + 1, 2**63, 2**64, 10**30, -(2**64), 10**400, 0.5, -0.0, 1e300, 1e-300]
NUMBERS += [float("nan"), float("inf"), float("-inf")]
TEXTS = ["", "x", "0", "../x", "/etc/passwd", "C:\\x", "a\0b", "\ud800", "é" * 50, "x" * 100_000, "\n", "\ufeff", "<s>"]
OTHERS = [True, False, None, [], [1], ["x"], [[]], [None], {}, {"a": 1}, {"": {}}, [0] * 1000, {"0": "x", "1": "x"}]
HOSTILE = NUMBERS + TEXTS + OTHERS


def labelled():
    """{label: value} of the hostile values."""
    return {f"{value!r:.20}": value for value in HOSTILE}


JSON_TEXTS = {  # name -> what makes of the content of a file one that is no JSON, or an absurd one
    "nothing": lambda good: b"",
    "white space": lambda good: b" \n\t ",
    "8 MiB of white space": lambda good: b" " * 2**23,
    "8 MiB of white space, then the content": lambda good: b" " * 2**23 + good,
    "9 MiB of digits": lambda good: b"1" * (9 * 2**20),
    "a brace": lambda good: b"{",
    "a closing brace": lambda good: b"}",
    "a bracket": lambda good: b"[",
    "a list": lambda good: b"[]",
    "a list with the content": lambda good: b"[" + good + b"]",
    "null": lambda good: b"null",
    "true": lambda good: b"true",
    "a number": lambda good: b"3",
    "NaN": lambda good: b"NaN",
    "a text": lambda good: b'"text"',
    "a text without end": lambda good: b'"text',
    "the content twice": lambda good: good + good,
    "the content and a comma": lambda good: good + b",",
    "the content and a NUL": lambda good: good + b"\0",
    "the content and a brace": lambda good: good + b"}",
    "a byte order mark": lambda good: b"\xef\xbb\xbf" + good,
    "UTF-16": lambda good: good.decode().encode("utf-16"),
    "UTF-16 without mark": lambda good: good.decode().encode("utf-16-le"),
    "UTF-32": lambda good: good.decode().encode("utf-32"),
    "single quotes": lambda good: good.decode().replace('"', "'").encode(),
    "a comment": lambda good: b"// a comment\n" + good,
    "a comma before the end": lambda good: good.decode().rstrip().removesuffix("}").encode() + b",}",
    "no colon": lambda good: good.decode().replace(":", " ", 1).encode(),
    "no end": lambda good: good.decode().rstrip().removesuffix("}").encode(),
    "its first half": lambda good: good[: len(good) // 2],
    "its second half": lambda good: good[len(good) // 2 :],
    "a NUL first": lambda good: b"\0" + good,
    "NULs": lambda good: b"\0" * 1000,
    "bytes that are no UTF-8": lambda good: b"\xff\xfe\xfd" + good,
    "UTF-8 of half a surrogate pair": lambda good: b'{"a": "\xed\xa0\x80"}',
    "overlong UTF-8": lambda good: b'{"a": "\xc0\xaf"}',
    "half a surrogate pair": lambda good: with_entry(good, '"a": "\\ud800"'),
    "half a surrogate pair as a key": lambda good: with_entry(good, '"\\udfff": 1'),
    "half a surrogate pair in a list": lambda good: with_entry(good, '"a": [["\\uD83d"]]'),
    "a key twice": lambda good: with_entry(good, '"a": 1, "a": 1'),
    "a key twice, deep down": lambda good: with_entry(good, '"a": [{"b": {"c": 1, "c": 2}}]'),
    "a key twice, spelled otherwise": lambda good: with_entry(good, '"a": 1, "\\u0061": 2'),
    "a key 100,000 times": lambda good: with_entry(good, ", ".join(['"a": 1'] * 100_000)),
    "an integer of 5,000 digits": lambda good: with_entry(good, '"a": ' + "7" * 5000),
    "an integer of a million digits": lambda good: with_entry(good, '"a": ' + "7" * 10**6),
    "100,000 lists in each other": lambda good: b"[" * 100_000,
    "100,000 closed lists in each other": lambda good: b"[" * 100_000 + b"]" * 100_000,
    "100,000 objects in each other": lambda good: b'{"a":' * 100_000,
    "lists in each other, deep down": lambda good: with_entry(good, '"a": ' + "[" * 50_000 + "]" * 50_000),
    "a control character in a text": lambda good: with_entry(good, '"a": "\x01"'),
    "an unknown escape": lambda good: with_entry(good, '"a": "\\x41"'),
    "a number with a leading zero": lambda good: with_entry(good, '"a": 007'),
    "a number with a point at the end": lambda good: with_entry(good, '"a": 1.'),
    "hexadecimal": lambda good: with_entry(good, '"a": 0x10'),
    "a million empty lists": lambda good: with_entry(good, '"a": [' + "[]," * 10**6 + "[]]"),
    "a million empty objects": lambda good: with_entry(good, '"a": [' + "{}," * 10**6 + "{}]"),
    "a million numbers": lambda good: with_entry(good, '"a": [' + "0," * 10**6 + "0]"),
    "a million escaped quotes": lambda good: b"[" + b"0," * 500_001 + b'"' + b'\\"' * 10**6,
    "a million escaped quotes, and a backslash": lambda good: b"[" + b"0," * 500_001 + b'"' + b'\\"' * 10**6 + b"\\",
    "400,000 keys, then nothing": lambda good: b"{" + b",".join(b'"%06d":1' % i for i in range(400_000)),
}  # fmt: skip


def with_entry(good, entry):
    """The object `good` with one more entry, as text: so JSON that Python would not write can be written."""
    return good.decode().rstrip().removesuffix("}").rstrip().encode() + b", " + entry.encode() + b"}"


def no_files(path):
    """{name: function that puts something else in the place of a file}."""

    def replace(put):
        def change():
            path.unlink()
            put()

        return change

    return {
        "missing": path.unlink,
        "a folder": replace(path.mkdir),
        "a pipe": replace(lambda: os.mkfifo(path)),
        "a link to nothing": replace(lambda: path.symlink_to("nothing")),
        "a link to itself": replace(lambda: path.symlink_to(path.name)),
        "a link to a folder": replace(lambda: path.symlink_to("..")),
        "a link to /dev/zero": replace(lambda: path.symlink_to("/dev/zero")),
        "a link to /dev/null": replace(lambda: path.symlink_to("/dev/null")),
        "a link to another file": replace(lambda: path.symlink_to(__file__)),
        "a gibibyte of nothing": lambda: (path.write_bytes(b""), os.truncate(path, 2**30)),
        "256 MiB of nothing behind it": lambda: os.truncate(path, 2**28),
    }


# At random ----------------------------------------------------------------------------------------------


def places(value, path=()):
    """Every place in a JSON value, as the keys that lead there."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(value[key], (*path, key))


def changed_json(data, rng):
    """Replace, remove, rename, double or move one value of a JSON text."""
    content = json.loads(data)
    found = list(places(content))
    if not found:
        return changed_bytes(data, rng)
    # not all places alike: a vocabulary has thousands, and what is around it only a few
    depth = rng.choice(sorted({len(path) for path in found}))
    *path, last = rng.choice([path for path in found if len(path) == depth])
    node = content
    for key in path:
        node = node[key]
    how = rng.random()
    if how < 0.12:
        del node[last]
    elif how < 0.2 and isinstance(node, dict):
        node["renamed"] = node.pop(last)
    elif how < 0.28:
        node[last] = [node[last]]
    elif how < 0.34 and isinstance(node[last], int | float | str):
        node[last] = node[last] * 2
    elif how < 0.4 and isinstance(node, dict):
        text = json.dumps({last: node[last]})[1:-1]
        return json.dumps(content).replace(text, f"{text}, {text}", 1).encode()
    else:
        node[last] = rng.choice(HOSTILE)
    return json.dumps(content).encode()


def changed_bytes(data, rng):
    """Flip bits, cut the end off, or take a piece away, or put one in."""
    how, at = rng.random(), rng.randrange(max(1, len(data)))
    if how < 0.25:
        return data[:at]
    if how < 0.4:
        return data[:at] + data[at + rng.choice([1, 2, 7, 100]) :]
    if how < 0.55:
        put = rng.choice([b"\0", b"\xff", b'"', b"{", b"\xed\xa0\x80", b"\r", b"\n", data[:50]])
        return data[:at] + put + data[at:]
    changed = bytearray(data or b"\0")
    for _ in range(rng.choice([1, 1, 3, 20])):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def changed_safetensors(data, rng):
    """Change the header, whose length then is right again, or any bytes."""
    if rng.random() < 0.3:
        return changed_bytes(data, rng)
    begin = 8 + int.from_bytes(data[:8], "little")
    header = changed_json(data[8:begin], rng)
    return len(header).to_bytes(8, "little") + header + data[begin:]


def changed(name, data, rng):
    """Change the content of a file of that name."""
    if name.endswith(".safetensors"):
        return changed_safetensors(data, rng)
    if name.endswith(".jsonl"):
        lines = data.splitlines(keepends=True)
        i = rng.randrange(len(lines))
        lines[i] = changed_json(lines[i], rng) + b"\n" if rng.random() < 0.7 else changed_bytes(lines[i], rng)
        return b"".join(lines)
    if name.endswith(".json") and rng.random() < 0.75:
        return changed_json(data, rng)
    return changed_bytes(data, rng)
