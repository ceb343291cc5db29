"""Tensors in a safetensors file: their names, kinds and shapes first, their numbers only when they are wanted."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minibert.errors import CheckpointError

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
        return self.data.view(KINDS[self.kind]).reshape(self.shape)


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
        with safe_open(path, "numpy") as file:
            names = set(file.keys())
        data = np.memmap(path, np.uint8, "r")
        begin = 8 + int.from_bytes(data[:8].tobytes(), "little")
        header = json.loads(data[8:begin].tobytes())
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(f"{path}: not a readable safetensors file ({' '.join(str(error).split())})") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error
    return {name: _stored(path, name, header[name], data[begin:]) for name in header if name in names}


def _stored(path: Path, name: str, entry: dict, data: np.ndarray) -> Stored:
    begin, end = entry["data_offsets"]
    return Stored(path, name, entry["dtype"], tuple(entry["shape"]), data[begin:end])


def _bfloat16(data: np.ndarray) -> np.ndarray:
    """A bfloat16 is the upper half of the float32 with the same value: the lower half is zeros."""
    return (data.view("<u2").astype(np.uint32) << np.uint32(16)).view(np.float32)
