"""Weights into a checkpoint folder: in one file, or in shards with an index, as Hugging Face names them."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from minibert.errors import ConfigError
from minibert.fields import short
from minibert.files import write_json, write_whole
from minibert.models.weights import INDEX, WEIGHTS

UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "KI": 2**10, "MI": 2**20, "GI": 2**30}
SHARDS = "model-?????-of-?????.safetensors"

Tensors = dict[str, np.ndarray]


def write_weights(folder: Path, tensors: Tensors, largest: float) -> None:
    """Write tensors into `model.safetensors`, or into shards if they have more than `largest` bytes together.

    What was there before of the other kind, one file or shards, goes when all is written.
    """
    parts = list(split(tensors, largest))
    n = len(parts)
    names = [WEIGHTS] if n == 1 else [f"model-{i:05}-of-{n:05}.safetensors" for i in range(1, n + 1)]
    for name, part in zip(names, parts, strict=True):
        _write(folder / name, part)
    if n > 1:
        weight_map = {tensor: name for name, part in zip(names, parts, strict=True) for tensor in part}
        total = sum(tensor.nbytes for tensor in tensors.values())
        write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": weight_map})
        names.append(INDEX)
    for path in (folder / WEIGHTS, folder / INDEX, *folder.glob(SHARDS)):
        if path.name not in names:
            path.unlink(missing_ok=True)


def split(tensors: Tensors, largest: float) -> Iterator[Tensors]:
    """Yield the tensors in parts of at most so many bytes, in their order; a larger tensor is a part of its own."""
    part: Tensors = {}
    size = 0
    for name, tensor in tensors.items():
        if part and size + tensor.nbytes > largest:
            yield part
            part, size = {}, 0
        part[name] = tensor
        size += tensor.nbytes
    yield part


def bytes_of(size: int | str | None) -> float:
    """Return a size in bytes: 5_000_000, "5MB", "5 MiB"; None: no limit. Raises `ConfigError` if it is none."""
    if size is None:
        return float("inf")
    parts = re.fullmatch(r"(\d{1,12}) ?([KMG]I?)?B", size.upper()) if isinstance(size, str) else None
    number = int(parts[1]) * UNITS[parts[2] or ""] if parts else size
    if type(number) is not int or number < 1:
        raise ConfigError(f'max_shard_size must be a number of bytes, or a text like "5GB", but is {short(size)}')
    return number


def _write(path: Path, tensors: Tensors) -> None:
    from safetensors.numpy import save

    whole = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    write_whole(path, lambda temporary: temporary.write_bytes(save(whole, metadata={"format": "pt"})))
