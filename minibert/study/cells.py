"""The cells of the study: what is trained, how, and from how many labels; and the file that each becomes."""

from fnmatch import fnmatch
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from minibert.errors import CheckpointError, ConfigError
from minibert.files import read_object, write_json

STARTS = {
    "scratch": "from scratch",
    "pretrained": "pre-trained by us",
    "minilm": "all-minilm-l6-v2",
}
METHODS = {"full": "full", "lora": "LoRA", "features": "feature extraction", "prompt": "prompt tuning"}
BASELINE = ("tfidf", "logistic")  # start and method of what no Transformer is
LABELS = ("100", "1000", "all")
FOLDER = "cells"


class Cell(NamedTuple):
    """One model to be trained and tested."""

    start: str
    method: str
    labels: str
    long: bool = False  # of the longer texts that --long_length allows

    @property
    def name(self) -> str:
        """For example minilm/full/all, or minilm/full/all/long."""
        return "/".join(self[:3]) + ("/long" if self.long else "")

    @property
    def reads_on(self) -> bool:
        """Whether the trained model is tested on the longer texts, too."""
        return self[:3] == ("minilm", "full", "all") and not self.long


def all_cells() -> list[Cell]:
    """Return every cell, in the order in which they are run: what is cheap first."""
    grid = [Cell(*cell) for cell in product(STARTS, METHODS, LABELS)]
    cells = [*(Cell(*BASELINE, labels) for labels in LABELS), *grid, Cell("minilm", "full", "all", long=True)]
    return sorted(cells, key=_cost)  # sorting is stable


def _cost(cell: Cell) -> tuple[bool, ...]:
    """False before True: the last of these decides least."""
    many = cell.labels == "all" and cell.method != "features"
    return cell.start == "minilm", many, not cell.long, cell.method != "full"


def chosen_cells(patterns: list[str]) -> list[Cell]:
    """Return the cells whose name is like one of the patterns.

    Raises
    ------
    ConfigError
        A pattern is like no name.
    """
    cells = all_cells()
    for pattern in patterns:
        if not any(fnmatch(cell.name, pattern) for cell in cells):
            raise ConfigError(
                f"no cell is like {pattern!r}: a cell is start/method/labels, as minilm/lora/1000; starts are "
                f"{', '.join([*STARTS, BASELINE[0]])}, methods {', '.join([*METHODS, BASELINE[1]])}, labels "
                f"{', '.join(LABELS)}; * stands for anything"
            )
    return [cell for cell in cells if any(fnmatch(cell.name, pattern) for pattern in patterns)]


def path_of(folder: Path, name: str) -> Path:
    """Return the file of a cell."""
    return folder / FOLDER / f"{name.replace('/', '-')}.json"


def write_cell(folder: Path, name: str, record: dict[str, Any]) -> None:
    """Write a finished cell; it is there whole or not at all."""
    path = path_of(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, record)


def read_cells(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what the finished cells hold, by their names."""
    names = [cell.name for cell in all_cells()]
    return {name: read_object(path_of(folder, name)) for name in names if path_of(folder, name).is_file()}


def check_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Write the settings of a new study; those of one that goes on must be the same, or its cells cannot be compared.

    Raises
    ------
    ConfigError
        One differs: names it.
    """
    path = folder / "study.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, settings)
        return
    before = read_object(path)
    for name in {**before, **settings}:
        if before.get(name) != settings.get(name):
            raise ConfigError(
                f"{folder} holds a study with --{name} {before.get(name)}, not {settings.get(name)}: go on with the "
                "same settings, or choose another --output_dir"
            )


def read_settings(folder: Path) -> dict[str, Any]:
    """Return the settings of a study. Raises `CheckpointError` if the folder holds none."""
    path = folder / "study.json"
    if not path.is_file():
        raise CheckpointError(f"{folder}: holds no study yet: run minibert study movie-reviews --output_dir {folder}")
    return read_object(path)
