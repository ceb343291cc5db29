"""The checkpoints of a run, `checkpoint-{step}/`: which are kept, and which is the newest good one."""

import re
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from minibert.errors import CheckpointError, ConfigError
from minibert.files import write_whole
from minibert.training.log import LOG
from minibert.training.whole_folder import check_folder, clean, remove_folder, write_folder
from minibert.tree import flatten

NAME = re.compile(r"checkpoint-(\d+)")


@contextmanager
def output_folder(folder: Path) -> Iterator[Path]:
    """Let a `with` block write checkpoints and a log into `folder`.

    If it fails before the first checkpoint, a folder that was not there before is gone again.
    """
    existed = folder.is_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
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


class Checkpoints:
    """What a run has saved in its folder.

    Parameters
    ----------
    folder : Path
    limit : int, optional
        So many are kept.
    resumed : Path, optional
        The checkpoint that the run goes on from: it and those before it count as the run's own.
    say : callable, optional
        Told of checkpoints that are set aside.
    """

    def __init__(
        self,
        folder: Path,
        limit: int | None = None,
        resumed: Path | None = None,
        say: Callable[[str], Any] = warnings.warn,
    ) -> None:
        self.folder, self.limit, self.say = folder, limit, say
        older = [] if resumed is None else checkpoints_in(folder)
        self.saved = [path for path in older if step_of(path) <= step_of(resumed)]

    @property
    def newest(self) -> str:
        """The last one, for a message."""
        return f"the last good checkpoint is {self.saved[-1]}" if self.saved else "no checkpoint was saved"

    def save(self, step: int, fill: Callable[[Path], Any], best: Path | None = None) -> Path:
        """Let `fill` write `checkpoint-{step}`; then remove the oldest, but not `best`."""
        folder = self.folder / f"checkpoint-{step}"
        try:
            self._set_aside_after(step)
            write_folder(folder, fill)
        except (CheckpointError, OSError) as error:
            raise CheckpointError(f"{error}; {self.newest}") from error
        self.saved = keep_newest([*(path for path in self.saved if path != folder), folder], self.limit, best)
        return folder

    def _set_aside_after(self, step: int) -> None:
        """Rename checkpoints of later steps, of a run that this one leaves behind: nobody shall resume from them."""
        for path in checkpoints_in(self.folder):
            if step_of(path) > step:
                names = (f"{path.name}-left-{number}" for number in count(1))
                aside = next(aside for name in names if not (aside := path.with_name(name)).exists())
                path.rename(aside)
                self.say(f"{path} is of steps that this run takes anew: kept as {aside.name}")


def keep_newest(checkpoints: list[Path], limit: int | None, best: Path | None) -> list[Path]:
    """Remove all but the newest `limit` of `checkpoints` (oldest first), and return those that are left.

    `best` is one of those that are kept. The newest is kept in any case, so that with a limit of 1 there may be two.
    """
    if not limit or len(checkpoints) <= limit:
        return checkpoints
    kept = set(checkpoints[-limit:])
    if best in checkpoints and best not in kept:
        kept = {best, *checkpoints[-max(1, limit - 1) :]}
    for folder in checkpoints:
        if folder not in kept:
            remove_folder(folder)
    return [folder for folder in checkpoints if folder in kept]


def step_of(path: Path) -> int | None:
    """Return the step in the name of a checkpoint, or None if it has another name."""
    match = NAME.fullmatch(path.name)
    return int(match[1]) if match else None


def checkpoints_in(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, the oldest first."""
    found = [path for path in folder.glob("checkpoint-*") if step_of(path) is not None and path.is_dir()]
    return sorted(found, key=step_of)


def good_checkpoint(path: Path, say: Callable[[str], Any]) -> Path:
    """Return a checkpoint that is as it was written.

    Parameters
    ----------
    path : Path
        A checkpoint; or a folder of checkpoints, of which the newest is meant. If it is damaged, the newest good one
        before it is taken.
    say : callable
        Told of what is damaged, and what is taken instead.

    Raises
    ------
    CheckpointError
        If there is none, or none is good: names the file that is damaged.
    """
    wanted = step_of(path)
    folder = path if wanted is None else path.absolute().parent
    with suppress(OSError):
        clean(folder)
    found = [p for p in checkpoints_in(folder) if wanted is None or step_of(p) <= wanted]
    if not found or (wanted is not None and not path.is_dir()):
        raise CheckpointError(
            f"{path}: there is no checkpoint to go on from; give a checkpoint, or the folder of a run"
        )
    damage = None
    for checkpoint in reversed(found):
        try:
            check_folder(checkpoint)
        except CheckpointError as error:
            damage = damage or error
            say(str(error))
        else:
            if damage:
                say(f"{checkpoint} is taken instead, the newest good one")
            return checkpoint
    raise damage
