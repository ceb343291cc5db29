"""The checkpoints of a run whose result is not there yet: in a folder of their own, which goes when that comes."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from minibert.errors import ConfigError
from minibert.files import write_json
from minibert.training.callbacks import TrainerCallback
from minibert.training.checkpoints import checkpoints_in
from minibert.training.run_folder import ARGUMENTS
from minibert.training.run_lock import alone_in

CHECKPOINTS = "checkpoints"


@contextmanager
def unfinished(folder: Path, options: dict[str, Any], overwrite: bool = False, goes_on: bool = False) -> Iterator[Path]:
    """Let a `with` block write checkpoints into `folder/checkpoints`, beside the options of the run.

    They are gone when the block ends, and stay if it fails. If it fails before the first one, nothing stays.

    Raises
    ------
    ConfigError
        If there are checkpoints of another run, and the run does not go on from them and may not overwrite them; if
        nothing can be written there, or another process is writing.
    """
    place = folder / CHECKPOINTS
    if checkpoints_in(place) and not (goes_on or overwrite):
        raise ConfigError(
            f"{folder}: holds a run that was stopped; go on with it (--resume_from_checkpoint {folder}), choose "
            "another --output_dir, or --overwrite it"
        )
    parent_is_new = not folder.parent.exists()
    try:
        with alone_in(folder):
            try:
                if not goes_on:
                    shutil.rmtree(place, ignore_errors=True)
                    place.mkdir()
                write_json(place / ARGUMENTS, options)
                yield place
                shutil.rmtree(place)
            finally:
                if not checkpoints_in(place):
                    shutil.rmtree(place, ignore_errors=True)
    finally:
        if parent_is_new and folder.parent.is_dir() and not any(folder.parent.iterdir()):
            folder.parent.rmdir()


class SaveEvery(TrainerCallback):
    """Saves after so many steps, beside the checkpoints of the best evaluations."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Ask for a checkpoint."""
        control.should_save = control.should_save or state.global_step % self.steps == 0
