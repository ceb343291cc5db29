"""The weights of a checkpoint folder: one safetensors file, or several shards with an index."""

import json
from pathlib import Path

import numpy as np

from minibert.errors import CheckpointError

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"


def read_weights(folder: Path) -> dict[str, np.ndarray]:
    """Return {name: tensor} of a checkpoint folder; bfloat16, which NumPy does not have, as float32.

    Raises
    ------
    CheckpointError
        If a file is missing or broken, or the index names a file outside the folder.
    """
    if (folder / WEIGHTS).is_file():
        return read_tensors(folder / WEIGHTS)
    if not (folder / INDEX).is_file():
        raise CheckpointError(
            f"{folder / WEIGHTS}: not found; a checkpoint is a folder with config.json and {WEIGHTS}, or shards of it "
            f"with {INDEX}"
        )
    tensors = {}
    for shard in _shards(folder / INDEX):
        tensors.update(read_tensors(folder / shard))
    return tensors


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """Return {name: tensor} of one file. Kinds of numbers that are unknown here are left out."""
    from safetensors import SafetensorError, deserialize, safe_open

    if not path.is_file():
        raise CheckpointError(f"{path}: not found, though {INDEX} names it: download it too")
    try:
        with safe_open(path, "numpy") as file:
            kinds = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118  not a dict
            tensors = {name: file.get_tensor(name) for name, kind in kinds.items() if kind in ("F64", "F32", "F16")}
        if "BF16" in kinds.values():
            records = deserialize(path.read_bytes())
            tensors.update({name: _bfloat16(record) for name, record in records if record["dtype"] == "BF16"})
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(f"{path}: not a readable safetensors file ({error})") from error
    return tensors


def _bfloat16(record: dict) -> np.ndarray:
    """A bfloat16 is the upper half of the float32 with the same value: the lower half is zeros."""
    upper = np.frombuffer(record["data"], "<u2").astype(np.uint32)
    return (upper << np.uint32(16)).view(np.float32).reshape(record["shape"])


def _shards(index: Path) -> list[str]:
    """Return the names of the files that an index lists, all of them inside its folder."""
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{index}: expected JSON with a `weight_map`, tensor to file ({error!r})") from error
    for name in names:
        if not isinstance(name, str) or not name.endswith(".safetensors") or set(name) & set("/\\:"):
            raise CheckpointError(f"{index}: {name!r} is not the name of a safetensors file in the same folder")
    return names
