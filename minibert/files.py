"""Writing files so that nobody ever reads half of one, and reading JSON that others wrote."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minibert.errors import CheckpointError
from minibert.units import bytes_text

LARGEST_JSON = 100 * 2**20  # bytes; the index of the largest models takes a few MiB


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a temporary file beside `path`, then give it its name in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def finite(value: Any) -> Any:
    """Return a value for JSON, which knows no NaN: None in its place, in dicts and lists too."""
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    return None if isinstance(value, float) and value != value else value


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file of a checkpoint.

    Raises
    ------
    CheckpointError
        If it cannot be read, is absurdly large, not JSON, or not an object.
    """
    try:
        if (size := path.stat().st_size) > LARGEST_JSON:
            raise CheckpointError(f"{path}: {bytes_text(size)} are too many for a description: is it the right file?")
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not valid JSON ({error}); it may be cut off, fetch it again") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value
