"""Writing `checkpoint-{step}/`: a model, its tokenizer, and where the run was."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from minibert.errors import ConfigError
from minibert.files import write_whole
from minibert.training.callbacks import TrainerState
from minibert.training.log import LOG
from minibert.tree import flatten

STATE = "trainer_state.json"


@contextmanager
def output_folder(folder: Path) -> Iterator[Path]:
    """Let a `with` block write checkpoints and a new log into `folder`.

    If it fails before the first checkpoint, a folder that was not there before is gone again.
    """
    existed = folder.is_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / LOG).unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written ({error.strerror}); choose another output_dir") from error
    try:
        yield folder
    except BaseException:
        if not existed and {path.name for path in folder.iterdir()} <= {LOG}:
            shutil.rmtree(folder)
        raise


def save_model(folder: Path, model: Any, tokenizer: Any = None) -> None:
    """Write a model that opens with `from_pretrained`, and its tokenizer.

    A model without `save_pretrained` leaves its parameters in `model.safetensors`, under their dotted names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if hasattr(model, "save_pretrained"):
        model.save_pretrained(folder)
    else:
        from safetensors.numpy import save

        tensors = {name: np.ascontiguousarray(array) for name, array in flatten(model.params).items()}
        write_whole(folder / "model.safetensors", lambda path: path.write_bytes(save(tensors)))
    if hasattr(tokenizer, "save_pretrained"):
        tokenizer.save_pretrained(folder)


def save_checkpoint(folder: Path, model: Any, tokenizer: Any, state: TrainerState) -> None:
    """Write the checkpoint `folder`, which has its name only when it is complete; one of that name is replaced."""
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        save_model(temporary, model, tokenizer)
        state.save_to_json(temporary / STATE)
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def keep_newest(checkpoints: list[Path], limit: int | None, best: Path | None) -> list[Path]:
    """Remove all but the newest `limit` of `checkpoints` (oldest first), and return those that are left.

    `best` is one of those that are kept. The newest is kept in any case, so that with a limit of 1 there may be two.
    """
    if limit is None or len(checkpoints) <= limit:
        return checkpoints
    kept = set(checkpoints[-limit:])
    if best in checkpoints and best not in kept:
        kept = {best, *checkpoints[-max(1, limit - 1) :]}
    for folder in checkpoints:
        if folder not in kept:
            shutil.rmtree(folder, ignore_errors=True)
    return [folder for folder in checkpoints if folder in kept]
