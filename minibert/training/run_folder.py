"""The folder of a run: where it may be, and what it must hold."""

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from minibert.errors import ConfigError
from minibert.training.log import LOG
from minibert.training.run_lock import alone_in

ARGUMENTS = "training_args.json"
CHECKPOINTS = "checkpoint-*"
PREVIOUS = ".previous"  # where the files of the run that is being replaced wait
RUN_FILES = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
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
        return next(folder for folder in default_folders(name) if not folder.exists())
    folder = Path(output_dir)
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: is a file, so it cannot be the output folder")
    if _holds_a_run(folder) and not overwrite:
        raise ConfigError(f"{folder}: holds a run already; choose another --output_dir, or --overwrite it")
    return folder


def default_folders(name: str) -> Iterator[Path]:
    """Yield runs/name, runs/name-2, runs/name-3, ..."""
    return (Path("runs") / (name if i == 1 else f"{name}-{i}") for i in itertools.count(1))


@contextmanager
def new_run(folder: Path) -> Iterator[None]:
    """Let a `with` block write a run into `folder`.

    The files and checkpoints of an earlier run are put aside, and removed only when the new run has saved weights.
    A run that ends before that leaves the folder as it was: the earlier run in it, or nothing.
    """
    aside = folder / PREVIOUS
    with alone_in(folder):
        try:
            if aside.is_dir() and not _has_saved(folder):  # a new run was killed before it had saved anything
                _move_run(aside, folder)
            aside.mkdir(exist_ok=True)
            _move_run(folder, aside)
        except OSError as error:
            raise ConfigError(f"{folder}: cannot be written ({error.strerror}); choose another --output_dir") from error
        try:
            yield
        finally:
            if not _has_saved(folder):
                _move_run(aside, folder)
            shutil.rmtree(aside)


def _move_run(source: Path, target: Path) -> None:
    """Move the files and checkpoints of a run; what `target` held of one before is gone."""
    for name in RUN_FILES:
        (target / name).unlink(missing_ok=True)
        if (source / name).exists():
            (source / name).rename(target / name)
    for checkpoint in target.glob(CHECKPOINTS):
        shutil.rmtree(checkpoint)
    for checkpoint in source.glob(CHECKPOINTS):
        checkpoint.rename(target / checkpoint.name)


def _has_saved(folder: Path) -> bool:
    return (folder / "model.safetensors").exists() or any(folder.glob(CHECKPOINTS))


def _holds_a_run(folder: Path) -> bool:
    return any((folder / name).exists() for name in RUN_FILES) or any(folder.glob(CHECKPOINTS))
