"""`--resume_from_checkpoint`: which checkpoint is meant, and with what options its run goes on."""

import dataclasses
import sys
from dataclasses import Field
from pathlib import Path
from typing import Any

from minibert.errors import CheckpointError, ConfigError
from minibert.fields import check_type, short
from minibert.files import read_object
from minibert.training.checkpoints import checkpoints_in, good_checkpoint
from minibert.training.run_folder import ARGUMENTS, default_folders

NEWEST = "newest"  # what the option is without a folder


def say(text: str) -> None:
    """Print a line that is no result."""
    print(text, file=sys.stderr, flush=True)


def find_checkpoint(arguments: dict[str, Any], name: str, inside: str = "") -> Path:
    """Return the checkpoint to go on from: of the folder that is given, of `output_dir`, or of the last default run.

    A run has its checkpoints in its folder, or in one `inside` that.

    Raises
    ------
    CheckpointError
        If there is no good one.
    ConfigError
        If `output_dir` is another folder than the run's.
    """
    given, output_dir = arguments["resume_from_checkpoint"], arguments["output_dir"]
    if given == NEWEST:
        given = output_dir or _last_default_run(name, inside)
    place = Path(given) / inside
    checkpoint = good_checkpoint(place if place.is_dir() else Path(given), say)
    folder = checkpoint.parent.parent if inside else checkpoint.parent
    if output_dir and Path(output_dir).resolve() != folder.resolve():
        raise ConfigError(
            f"--output_dir is {output_dir}, but the run goes on in its own folder, {folder}: leave it out"
        )
    return checkpoint


def _last_default_run(name: str, inside: str) -> Path:
    runs = []
    for folder in default_folders(name):
        if not folder.exists():
            break
        runs += [folder] if checkpoints_in(folder / inside) else []
    if not runs:
        raise CheckpointError("there is no run to go on with: give its folder, --resume_from_checkpoint FOLDER")
    return runs[-1]


def with_options_of(folder: Path, arguments: dict[str, Any], options: tuple[Field, ...]) -> dict[str, Any]:
    """Return the options of a run as `folder` tells them, and those of `arguments` that are not the default.

    So the command that goes on need not repeat them.
    """
    before = read_object(folder / ARGUMENTS)
    for field in options:
        if field.name in before:
            _check(field, before[field.name], str(folder / ARGUMENTS))
    defaults = {field.name: _default(field) for field in options}
    given = {name: value for name, value in arguments.items() if value != defaults[name] and name != "output_dir"}
    return {**arguments, **{name: before[name] for name in before if name in defaults}, **given}


def _check(field: Field, value: Any, where: str) -> None:
    """What the command line refuses, a file may hold all the same."""
    check_type(field.name, value, list[str] if field.type is list else field.type, where)
    if value not in field.metadata.get("choices", (value,)):
        raise CheckpointError(f"{where}: {field.name} is {short(value)}, which is none of the choices")


def _default(field: Field) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
