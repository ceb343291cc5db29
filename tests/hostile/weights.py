"""Safetensors files, and folders of them with an index."""

import json
import math
import os

import numpy as np
from hostile.damage import labelled
from hostile.reader import Reader, bytes_in, file_cases, json_cases, swaps

from minibert.models.safetensors_file import read_tensors
from minibert.models.weights import read_weights

FILE, INDEX = "model.safetensors", "model.safetensors.index.json"
SHARDS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}


def entry(shape=(2,), begin=0, end=8, kind="F32"):
    return {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}


def packed(header, data=bytes(8), length=None):
    """What makes a file of a header, as text or as a dict or a function that returns one, and of data."""

    def make(good):
        content = header() if callable(header) else header
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        return (len(text) if length is None else length).to_bytes(8, "little") + text + data

    return make


def make_file(folder):
    from safetensors.numpy import save

    rng = np.random.default_rng(0)
    tensors = {"a.weight": rng.random((3, 4), np.float32), "a.bias": rng.random(4), "half": np.ones((2, 1), "f2")}
    (folder / FILE).write_bytes(save(tensors, {"format": "pt"}))


def check(tensors):
    """Every tensor is of the shape and the size that it says, and nothing else is read."""
    for name, tensor in tensors.items():
        values = tensor.values()
        assert isinstance(name, str)
        assert values.shape == tensor.shape
        assert tensor.data.nbytes == math.prod(tensor.shape) * SIZES[tensor.kind]


HEADERS = {
    "no tensors, but data": packed({}),
    "a length of 2^60": packed({}, length=2**60),
    "a length of 2^63": packed({}, length=2**63),
    "a length of 2^64 - 1": packed({}, length=2**64 - 1),
    "a length one beyond the end": packed({"a": entry()}, b"", length=len(json.dumps({"a": entry()})) + 1),
    "a length of 0": packed(b""),
    "a length of 1": packed(b"{"),
    "a length of 100,000,001": packed(b" " * 10, length=100_000_001),
    "8 MiB + 1 of header": packed(b" " * (2**23 + 1)),
    "overlapping offsets": packed({"a": entry(), "b": entry(begin=4, end=12)}, bytes(12)),
    "one place for two": packed({"a": entry(), "b": entry()}),
    "one inside of the other": packed({"a": entry((4,), 0, 16), "b": entry((2,), 4, 12)}, bytes(16)),
    "a hole": packed({"a": entry(begin=8, end=16)}, bytes(16)),
    "a hole in the middle": packed({"a": entry(), "b": entry(begin=12, end=20)}, bytes(20)),
    "bytes left over": packed({"a": entry()}, bytes(16)),
    "a byte left over": packed({"a": entry()}, bytes(9)),
    "a byte missing": packed({"a": entry()}, bytes(7)),
    "end before begin": packed({"a": entry(begin=8, end=0)}),
    "a negative offset": packed({"a": entry(begin=-8, end=0)}),
    "offsets that overflow": packed({"a": entry(begin=2**64 - 8, end=2**64)}),
    "offsets beyond 64 bits": packed({"a": entry(begin=0, end=2**64 + 8)}),
    "offsets that are floats": packed({"a": entry(begin=0.0, end=8.0)}),
    "offsets that are texts": packed({"a": entry(begin="0", end="8")}),
    "offsets that are NaN": packed({"a": entry(begin=float("nan"))}),
    "offsets in another order": packed({"a": entry(), "b": entry(begin=16, end=24), "c": entry(begin=8, end=16)}, b""),
    "one offset": packed({"a": {**entry(), "data_offsets": [0]}}),
    "three offsets": packed({"a": {**entry(), "data_offsets": [0, 8, 8]}}),
    "offsets that are an object": packed({"a": {**entry(), "data_offsets": {"0": 0, "1": 8}}}),
    "offsets that are nothing": packed({"a": {**entry(), "data_offsets": None}}),
    "no offsets": packed({"a": {"dtype": "F32", "shape": [2]}}),
    "no shape": packed({"a": {"dtype": "F32", "data_offsets": [0, 8]}}),
    "no kind": packed({"a": {"shape": [2], "data_offsets": [0, 8]}}),
    "an unknown kind": packed({"a": entry(kind="Q32")}),
    "a kind in small letters": packed({"a": entry(kind="f32")}),
    "a kind that is a number": packed({"a": entry(kind=32)}),
    "a kind that is a list": packed({"a": entry(kind=["F32"])}),
    "integers": packed({"a": entry(kind="I32")}),
    "truths": packed({"a": entry((8,), kind="BOOL")}),
    "complex numbers": packed({"a": entry((1,), kind="C64")}),
    "numbers of 8 bits": packed({"a": entry((8,), kind="F8_E4M3")}),
    "numbers of 4 bits": packed({"a": entry((16,), kind="F4")}),
    "numbers of 6 bits": packed({"a": entry((4,), 0, 3, kind="F6_E2M3")}, bytes(3)),
    "a shape that overflows": packed({"a": entry([2**40, 2**40])}),
    "a shape whose product wraps around to 2": packed({"a": entry([2**63 + 1, 2])}),
    "a shape beyond 64 bits": packed({"a": entry([2**64 + 2])}),
    "a shape larger than the file": packed({"a": entry([2**40], 0, 2**42)}),
    "a shape smaller than its place": packed({"a": entry([1])}),
    "a negative shape": packed({"a": entry([-2])}),
    "two negative sizes": packed({"a": entry([-2, -1])}),
    "a shape that is a text": packed({"a": entry("2")}),
    "a shape that is a number": packed({"a": entry(2)}),
    "a shape of floats": packed({"a": entry([2.0])}),
    "a shape of lists": packed({"a": entry([[2]])}),
    "a shape that is an object": packed({"a": entry({"0": 2})}),
    "a shape of a million sizes": packed(lambda: {"a": entry([1] * 10**6 + [2])}),
    "a scalar that is none": packed({"a": entry([])}),
    "a tensor that is a list": packed({"a": [entry()]}),
    "a tensor that is null": packed({"a": None}),
    "a tensor with fields nobody knows": packed({"a": {**entry(), "strides": [1]}}),
    "a tensor in a tensor": packed({"a": {"b": entry()}}),
    "a header that is a list": packed([entry()]),
    "a header that is null": packed(b"null"),
    "a header that is no text": packed(b"\xff\xfe{}"),
    "a header in UTF-16": packed(json.dumps({"a": entry()}).encode("utf-16")),
    "a header with a mark": packed(b"\xef\xbb\xbf" + json.dumps({"a": entry()}).encode()),
    "a header with NULs behind it": packed(json.dumps({"a": entry()}).encode() + bytes(8)),
    "a header of two objects": packed(json.dumps({"a": entry()}).encode() * 2),
    "a header nested without end": packed(b"[" * 100_000),
    "a header nested in its metadata": packed(b'{"__metadata__":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "a tensor twice": packed(b'{"a": %b, "a": %b}' % ((json.dumps(entry()).encode(),) * 2)),
    "a tensor twice, at other places": packed(
        b'{"a": %b, "a": %b}' % (json.dumps(entry()).encode(), json.dumps(entry(begin=8, end=16)).encode()), bytes(16)
    ),
    "an empty tensor twice": packed(b'{"a": %b, "a": %b}' % ((json.dumps(entry((0,), 0, 0)).encode(),) * 2), b""),
    "a shape twice": packed(b'{"a": {"dtype": "F32", "shape": [2], "shape": [2], "data_offsets": [0, 8]}}'),
    "metadata that are a list": packed({"__metadata__": [], "a": entry()}),
    "metadata that are a text": packed({"__metadata__": "pt", "a": entry()}),
    "metadata of numbers": packed({"__metadata__": {"a": 1}, "a": entry()}),
    "metadata that are a tensor": packed({"__metadata__": entry()}),
    "a name that is half a surrogate pair": packed({"\ud800": entry()}),
    "100,000 tensors": packed(lambda: {f"t{i}": entry((1,), 4 * i, 4 * i + 4) for i in range(100_000)}, bytes(400_000)),
    "100,000 empty tensors": packed(lambda: {f"t{i}": entry((0,), 0, 0) for i in range(100_000)}, b""),
    "an integer of 5,000 digits": packed(b'{"a": {"dtype": "F32", "shape": [%b], "data_offsets": []}}' % (b"2" * 5000)),
    "an empty tensor of an absurd shape": packed({"a": entry((0, 2**62), 0, 0)}, b""),
    # read all the same
    "no tensors": packed({}, b""),
    "an empty file of tensors": packed({"a": entry((0, 5), 0, 0)}, b""),
    "a header padded with spaces": packed(json.dumps({"a": entry()}).encode() + b" " * 100),
    "an odd length of the header": packed(json.dumps({"a": entry()}).encode() + b" " * (len(json.dumps(entry())) % 2)),
    "an empty name": packed({"": entry()}),
    "a name with ..": packed({"../../etc/passwd": entry()}),
    "a name that is a path": packed({"/etc/passwd": entry()}),
    "a name with NUL": packed({"a\0b": entry()}),
    "a name of a million letters": packed({"a" * 10**6: entry()}),
    "30,000 tensors": packed(lambda: {f"t{i}": entry((1,), 4 * i, 4 * i + 4) for i in range(30_000)}, bytes(120_000)),
    "metadata of a megabyte": packed({"__metadata__": {"a": "x" * 10**6}, "a": entry()}),
    "numbers that are NaN": packed({"a": entry()}, b"\xff" * 8),
}  # fmt: skip
NAMES = "a name of a tensor is compared with others, and never a path"
READ = {
    **dict.fromkeys(["no tensors", "an empty file of tensors"], "whole and empty"),
    **dict.fromkeys(["a header padded with spaces", "an odd length of the header"], "the format allows it"),
    **{name: NAMES for name in HEADERS if name.startswith(("a name with", "a name that is a path", "a name of"))},
    "an empty name": NAMES,
    "a tensor with fields nobody knows": "the library ignores them",
    "30,000 tensors": "more than any model has, and still small",
    "metadata of a megabyte": "text for other software",
    "numbers that are NaN": "what numbers are good is for the model to say",
}  # fmt: skip


def safetensors_reader(folder):
    make_file(folder)
    whole = (folder / FILE).read_bytes()
    cases = {name: bytes_in(FILE, data) for name, data in HEADERS.items()} | dict(file_cases(FILE))
    cases |= {f"cut at {length}": bytes_in(FILE, whole[:length]) for length in range(0, len(whole), 2)}
    swapped = {}
    for label, value in labelled().items():
        for field in ("dtype", "shape", "data_offsets"):
            swapped[f"{field} = {label}"] = bytes_in(FILE, packed({"a": {**entry(), field: value}}))
        swapped[f"size = {label}"] = bytes_in(FILE, packed({"a": entry([value, 2])}))
        swapped[f"offset = {label}"] = bytes_in(FILE, packed({"a": entry([2], value, 8)}))
    return Reader(make_file, lambda folder, name: check(read_tensors(folder / FILE)), [FILE], cases, READ, swapped)


def make_shards(folder):
    from safetensors.numpy import save

    rng = np.random.default_rng(0)
    parts = [{f"layer.{i}": rng.random((2, 3), np.float32)} for i in range(2)]
    for name, tensors in zip(SHARDS, parts, strict=True):
        (folder / name).write_bytes(save(tensors))
    names = {tensor: shard for shard, tensors in zip(SHARDS, parts, strict=True) for tensor in tensors}
    (folder / INDEX).write_text(json.dumps({"metadata": {"total_size": 48}, "weight_map": names}))


SHARD_NAMES = {
    "..": "../model.safetensors", "a path": "/etc/model.safetensors", "a folder": "a/model.safetensors",
    "a folder of Windows": "a\\model.safetensors", "a drive": "C:model.safetensors", "NUL": "a\0.safetensors",
    "nothing": "", "a suffix": ".safetensors", "a pickle": "pytorch_model.bin", "passwords": "/etc/passwd",
    "dots": "..", "a dot": ".", "another name": "x.safetensors", "letters": "A" * 300 + ".safetensors",
    "a home": "~/x.safetensors", "a line feed": "\n.safetensors", "an address": "https://x/y.safetensors",
    "a pipe": "pipe.safetensors", "a link out": "out.safetensors", "a link to itself": "loop.safetensors",
    "a link to a device": "zero.safetensors", "a link through a folder": "up.safetensors", "itself": INDEX,
    "a number": 1, "null": None, "a list": [SHARDS[0]], "an object": {}, "half a pair": "\ud800.safetensors",
    "a right-to-left mark": "\u202egnp.safetensors", "a full-width dot": "．．/x.safetensors",
    "a config": "config.json",
}  # fmt: skip


def name_shard(name):
    """The index names this file too; some of the names exist."""

    def change(folder):
        os.mkfifo(folder / "pipe.safetensors")
        (folder / "out.safetensors").symlink_to("/etc/passwd")
        (folder / "loop.safetensors").symlink_to("loop.safetensors")
        (folder / "zero.safetensors").symlink_to("/dev/zero")
        (folder / "up.safetensors").symlink_to(f"../{folder.name}/../../../../../../etc/passwd")
        (folder / INDEX).write_text(json.dumps({"weight_map": {"layer.0": SHARDS[0], "layer.1": name}}))

    return INDEX, change


def index_reader(folder):
    make_shards(folder)
    cases = dict(json_cases(INDEX)) | dict(file_cases(*SHARDS))
    cases |= {f"a shard called {what}": name_shard(name) for what, name in SHARD_NAMES.items()}
    for shard in SHARDS:
        whole = (folder / shard).read_bytes()
        cases |= {f"{shard} cut at {n}": bytes_in(shard, whole[:n]) for n in range(len(whole))}
    many = {f"t{i}": SHARDS[i % 2] for i in range(100_000)}
    cases["100,000 tensors in two shards"] = bytes_in(INDEX, json.dumps({"weight_map": many}).encode())
    lost = {f"t{i}": f"{i}.safetensors" for i in range(100_000)}
    cases["100,000 shards"] = bytes_in(INDEX, json.dumps({"weight_map": lost}).encode())
    swapped = dict(swaps(folder, INDEX))
    for label, value in labelled().items():
        text = json.dumps({"weight_map": {"layer.0": SHARDS[0], "layer.1": value}}).encode()
        swapped[f"shard = {label}"] = bytes_in(INDEX, text)
    accepted = {"100,000 tensors in two shards": "what the shards hold counts"}
    read = lambda folder, name: check(read_weights(folder))  # noqa: E731
    return Reader(make_shards, read, [INDEX, *SHARDS], cases, accepted, swapped, inside=SHARDS)
