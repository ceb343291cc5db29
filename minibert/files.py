"""Writing files so that nobody ever reads half of one, and reading JSON that others wrote."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from minibert.errors import CheckpointError, ConfigError, MinibertError
from minibert.json_text import MOST_VALUES, parse
from minibert.units import bytes_text

LARGEST_JSON = 8 * 2**20  # bytes of a description: an index of 10,000 tensors takes 1 MiB
LARGEST_LIST = 64 * 2**20  # bytes; a vocabulary of half a million tokens takes 10 MiB


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a temporary file beside `path`, then give it its name in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def make_folder(path: str | Path) -> Path:
    """Return a folder to write into, made if it is not there. Raises `ConfigError` if it cannot be one."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ConfigError(f"{folder}: is a file, or lies in one: give the name of a folder") from error
    return folder


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


def open_file(path: Path) -> BinaryIO:
    """Open a file to read its bytes. A pipe, which would be waited for without end, is an `OSError`."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a file")
    return path.open("rb")


def read_text(path: Path, error: type[MinibertError] = CheckpointError, largest: int = LARGEST_JSON) -> str:
    """Return the text of a file, which must be UTF-8.

    Raises
    ------
    MinibertError
        Of the class `error`: it cannot be read, is no file but, say, a pipe that nobody writes to, is larger than
        `largest` bytes, or not UTF-8.
    """
    try:
        with open_file(path) as file:
            if (size := os.fstat(file.fileno()).st_size) > largest:
                raise error(f"{path}: {bytes_text(size)} are too many: is it the right file?")
            return file.read(size).decode("utf-8")
    except UnicodeDecodeError as why:
        raise error(f"{path}: invalid UTF-8 at byte offset {why.start}; save it as UTF-8") from why
    except (OSError, ValueError) as why:  # a ValueError: NUL in the name
        if isinstance(why, MinibertError):
            raise
        raise error(f"{path}: cannot be read ({getattr(why, 'strerror', None) or why})") from why


def read_object(path: Path, error: type[MinibertError] = CheckpointError, much: bool = False) -> dict[str, Any]:
    """Return the JSON object in a file.

    Parameters
    ----------
    path : Path
    error : class
        Of the error.
    much : bool
        The file is no short description, but may be as long as what it tells of: a vocabulary, the log of a run.

    Raises
    ------
    MinibertError
        If it cannot be read, is absurdly large, not JSON (see `minibert.json_text.parse`), or not an object.
    """
    text = read_text(path, error, LARGEST_LIST if much else LARGEST_JSON)
    value = parse(text, str(path), error, max(MOST_VALUES, len(text) // 8) if much else MOST_VALUES)
    if not isinstance(value, dict):
        raise error(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value
