"""A folder that is whole or is not there, whenever the process, the disk or the power fails.

Everything is written under a temporary name and flushed to the disk; a manifest with the size and the sha256 of each
file comes last; then the folder gets its name in one step. So a folder under its own name is complete, and if a byte
of it has changed since, the manifest tells. `checkpoint-40` is on its way through three hidden names:

    .checkpoint-40.tmp        not complete, or on its way out: rubbish
    checkpoint-40             complete
    .checkpoint-40.replaced   complete, and about to be replaced by another of that name
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from minibert.errors import CheckpointError
from minibert.files import read_object

MANIFEST = "manifest.json"
TEMPORARY, REPLACED = ".tmp", ".replaced"


def write_folder(folder: Path, fill: Callable[[Path], Any]) -> None:
    """Let `fill` write files into a folder that gets its name when all of them are on the disk.

    A folder that has the name already is replaced, and is there until the new one is complete.

    Raises
    ------
    CheckpointError
        If it cannot be written. What was there before is still there.
    """
    temporary, replaced = _hidden(folder, TEMPORARY), _hidden(folder, REPLACED)
    try:
        clean(folder.parent)
        temporary.mkdir(parents=True)
        fill(temporary)
        for path in _files(temporary):
            flush(path)
        (temporary / MANIFEST).write_bytes(_manifest({_name(p, temporary): _about(p) for p in _files(temporary)}))
        flush(temporary / MANIFEST)
        for path in [temporary, *(p for p in temporary.rglob("*") if p.is_dir())]:
            flush(path)
        if folder.exists():
            folder.rename(replaced)
        temporary.rename(folder)
        flush(folder.parent)
        if replaced.exists():
            remove_folder(replaced)
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot be written ({error.strerror or error})") from error
    finally:
        with suppress(OSError):
            clean(folder.parent)


def check_folder(folder: Path) -> None:
    """Read every file that the manifest lists, and the manifest, and compare.

    Raises
    ------
    CheckpointError
        Names the file that is missing, or that is not what was written.
    """
    listed, found = read_object(folder / MANIFEST), {}
    for name, about in listed.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\0" in name or "\\" in name:
            raise CheckpointError(f"{folder / MANIFEST}: damaged, it lists {name!r:.100}")
        if not os.path.isfile(folder / path):
            raise CheckpointError(f"{folder / path}: missing, though {MANIFEST} lists it")
        size = (folder / path).stat().st_size
        if not isinstance(about, dict) or about.get("size") != size:
            raise CheckpointError(f"{folder / path}: damaged, {MANIFEST} says {about!r:.150}, but it has {size} bytes")
        found[name] = _about(folder / path)
        if found[name] != about:
            raise CheckpointError(f"{folder / path}: damaged, {MANIFEST} says {about!r:.150}, but it has {found[name]}")
    if (folder / MANIFEST).read_bytes() != _manifest(found):
        raise CheckpointError(f"{folder / MANIFEST}: damaged, it is not as it was written")


def remove_folder(folder: Path) -> None:
    """Remove a folder, under a name that says so: nobody takes what is left for complete if this is interrupted."""
    rubbish = folder.with_name(f".{folder.name.removeprefix('.').removesuffix(REPLACED)}{TEMPORARY}")
    with suppress(OSError):
        shutil.rmtree(rubbish, ignore_errors=True)
        folder.rename(rubbish)
        shutil.rmtree(rubbish, ignore_errors=True)


def clean(parent: Path) -> None:
    """Finish what a killed process had begun: remove rubbish, give back the name of what was to be replaced."""
    for replaced in parent.glob(f".checkpoint-*{REPLACED}"):
        folder = replaced.with_name(replaced.name.removeprefix(".").removesuffix(REPLACED))
        if folder.exists():
            remove_folder(replaced)
        else:
            replaced.rename(folder)
    for rubbish in parent.glob(f".checkpoint-*{TEMPORARY}"):
        shutil.rmtree(rubbish, ignore_errors=True)


def flush(path: Path) -> None:
    """Wait until a file, or the list of a folder's files, is on the disk. Windows flushes no folders."""
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _hidden(folder: Path, suffix: str) -> Path:
    return folder.with_name(f".{folder.name}{suffix}")


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _about(path: Path) -> dict[str, Any]:
    """Size and sum of a file."""
    try:
        with path.open("rb") as file:
            return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error


def _manifest(files: dict[str, Any]) -> bytes:
    """The manifest's bytes follow from the files: a changed byte of it shows even where it changes no meaning."""
    return (json.dumps(files, indent=2) + "\n").encode()
