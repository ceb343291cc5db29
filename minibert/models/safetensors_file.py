"""Tensors in a safetensors file: their names, kinds and shapes first, their numbers only when they are wanted."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minibert.errors import CheckpointError
from minibert.files import LARGEST_JSON, open_file
from minibert.json_text import parse

LONGEST_REASON = 300  # characters of the message of a library
KINDS = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}  # what NumPy reads as it is; "BF16" is converted


class Stored(NamedTuple):
    """A tensor in a file. The file is mapped into memory: what nobody reads is not loaded."""

    path: Path
    name: str
    kind: str  # as the file says: "F32", "BF16", "I64", ...
    shape: tuple[int, ...]
    data: np.ndarray  # its bytes

    def values(self) -> np.ndarray:
        """Return its numbers; bfloat16, which NumPy does not have, as float32.

        Raises
        ------
        CheckpointError
            If they are not floating-point numbers of 16 bits or more.
        """
        if self.kind == "BF16":
            return _bfloat16(self.data).reshape(self.shape)
        if self.kind not in KINDS:
            raise CheckpointError(
                f"{self.path}: {self.name} holds numbers of the kind {self.kind}: save it as F32, F16, BF16 or F64"
            )
        try:
            return self.data.view(KINDS[self.kind]).reshape(self.shape)
        except ValueError as error:  # no numbers at all, but of a shape beyond all arrays
            raise CheckpointError(f"{self.path}: {self.name} has the shape {self.shape}") from error


def read_tensors(path: Path) -> dict[str, Stored]:
    """Return {name: tensor} of one file.

    Raises
    ------
    CheckpointError
        If the file cannot be read, or its header does not describe it: the library looks whether all tensors lie
        one behind the other, as large as their shapes say, up to the end of the file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        header, begin = _header(path)
        with safe_open(path, "numpy") as file:
            names = set(file.keys())
        data = np.memmap(path, np.uint8, "r").view(np.ndarray)[begin:]
    except (SafetensorError, ValueError, CheckpointError) as error:
        reason = " ".join(str(error).split())[:LONGEST_REASON]
        raise CheckpointError(f"{path}: not a readable safetensors file ({reason})") from error
    except (OSError, MemoryError) as error:
        raise CheckpointError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    return {name: _stored(path, name, header[name], data) for name in header if name in names}


def _header(path: Path) -> tuple[dict, int]:
    """Return the header, and where the numbers begin: 8 bytes say how long it is.

    It is read here first, because the library keeps the last of two tensors of one name, and takes as much memory as
    the header asks for.
    """
    with open_file(path) as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(LARGEST_JSON, os.fstat(file.fileno()).st_size):
            raise CheckpointError(f"header too large: it says {length:,} bytes")
        header = parse(file.read(length).decode("utf-8"), "its header", CheckpointError)
    if not isinstance(header, dict):
        raise CheckpointError("its header is no object")
    return header, 8 + length


def _stored(path: Path, name: str, entry: dict, data: np.ndarray) -> Stored:
    begin, end = entry["data_offsets"]
    return Stored(path, name, entry["dtype"], tuple(entry["shape"]), data[begin:end])


def _bfloat16(data: np.ndarray) -> np.ndarray:
    """A bfloat16 is the upper half of the float32 with the same value: the lower half is zeros."""
    return (data.view("<u2").astype(np.uint32) << np.uint32(16)).view(np.float32)
