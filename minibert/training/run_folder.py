"""The folder of a run: where it may be, and what it must hold."""

import itertools
import json
import shutil
from pathlib import Path

from minibert.errors import CheckpointError, ConfigError
from minibert.training.log import LOG

ARGUMENTS = "training_args.json"
RUN_FILES = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    ARGUMENTS,
    LOG,
    "loss.png",
)


def choose_folder(output_dir: str, overwrite: bool, name: str) -> Path:
    """Return where a run may be written; nothing is created yet.

    Without `output_dir` it is the first free one of runs/name, runs/name-2, runs/name-3, ...

    Raises
    ------
    ConfigError
        If `output_dir` holds a run and may not be overwritten, or is a file.
    """
    if not output_dir:
        numbered = (Path("runs") / (name if i == 1 else f"{name}-{i}") for i in itertools.count(1))
        return next(folder for folder in numbered if not folder.exists())
    folder = Path(output_dir)
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: is a file, so it cannot be the output folder")
    if _holds_a_run(folder) and not overwrite:
        raise ConfigError(f"{folder}: holds a run already; choose another --output_dir, or --overwrite it")
    return folder


def create_folder(folder: Path) -> None:
    """Create a run folder, without the files of an earlier run."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in RUN_FILES:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be created ({error.strerror}); choose another --output_dir") from error


def remove_if_untrained(folder: Path) -> None:
    """Remove a folder that holds no weights yet: a run that failed at once leaves nothing behind."""
    if folder.is_dir() and not (folder / "model.safetensors").exists():
        for name in RUN_FILES:
            (folder / name).unlink(missing_ok=True)
        if not any(folder.iterdir()):
            shutil.rmtree(folder)


def read_arguments(folder: Path) -> dict:
    """Return the arguments of a finished or running run.

    Raises
    ------
    CheckpointError
        If the folder is not one of a run.
    """
    path = folder / ARGUMENTS
    if not path.is_file():
        raise CheckpointError(
            f"{folder}: not a run folder, it has no {ARGUMENTS}; give the folder that pretrain printed"
        )
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path}: not valid JSON ({error})") from error


def _holds_a_run(folder: Path) -> bool:
    return any((folder / name).exists() for name in RUN_FILES)
