"""A result folder that is there when it is complete, and not before."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from minibert.errors import ConfigError
from minibert.finetuning.peft_config import CONFIG
from minibert.finetuning.peft_model import WEIGHTS
from minibert.finetuning.task_settings import FILE
from minibert.sentence_encoder.recipe import RECIPE_FILES
from minibert.training.run_folder import RUN_FILES

RESULTS = "results.json"
FILES = (*RUN_FILES, *RECIPE_FILES, FILE, RESULTS, CONFIG, WEIGHTS)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Let a `with` block fill a temporary folder that takes the place of `folder` at the end.

    If the block fails, `folder` is as it was: nothing, or an earlier result, whose files go only when the new ones
    come. Other files in it stay.

    Raises
    ------
    ConfigError
        It cannot be written there; this is known at the beginning.
    """
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    alone = not folder.parent.exists()
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written ({error.strerror}); choose another --output_dir") from error
    try:
        yield temporary
        folder.mkdir(exist_ok=True)
        for name in FILES:
            remove(folder / name)
        for path in temporary.iterdir():
            os.replace(path, folder / path.name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if alone and not any(folder.parent.iterdir()):
            folder.parent.rmdir()


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
