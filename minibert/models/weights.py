"""The weights of a checkpoint folder: one safetensors file, or several shards with an index."""

import os
import re
from pathlib import Path

from minibert.errors import CheckpointError
from minibert.fields import fits
from minibert.files import read_object
from minibert.models.safetensors_file import Stored, read_tensors

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt")
NO_WEIGHTS = ("training_args", "optimizer", "scheduler", "scaler", "rng_state")  # a trainer's pickles beside them
RECIPE = (
    'python -c "import glob, torch, safetensors.torch as s; '
    "t = [torch.load(f, 'cpu', weights_only=True) for f in glob.glob('{files}')]; "
    "s.save_file({{n: x.clone().contiguous() for d in t for n, x in d.items()}}, 'model.safetensors', "
    "{{'format': 'pt'}})\""
)


def read_weights(folder: Path) -> dict[str, Stored]:
    """Return {name: tensor} of a checkpoint folder. The numbers are read later, from the files.

    Raises
    ------
    CheckpointError
        If a file is missing or broken, or the index names a file outside the folder.
    """
    if (folder / WEIGHTS).is_file():
        return read_tensors(folder / WEIGHTS)
    if not (folder / INDEX).is_file():
        refuse_pickles(folder)
        raise CheckpointError(
            f"{folder / WEIGHTS}: not found; a checkpoint is a folder with config.json and {WEIGHTS}, or shards of it "
            f"with {INDEX}"
        )
    tensors = {}
    for shard in _shards(folder):
        tensors.update(read_tensors(shard))
    return tensors


def refuse_pickles(path: Path) -> None:
    """Raise `CheckpointError` if there are weights only as pickles, which run code when they are opened."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    pickles = [file for file in files if file.suffix in PICKLES and not file.stem.startswith(NO_WEIGHTS)]
    if pickles := [file for file in pickles if file.is_file()]:
        raise CheckpointError(
            f"{pickles[0]}: a pickle can run any code when it is opened, so minibert reads safetensors only; if you "
            f"trust it, convert it in its folder: {RECIPE.format(files=_pattern(pickles[0].name))}"
        )


def _pattern(name: str) -> str:
    """Return what names a pickle, or all shards of it, in a line for the shell: there no name may do harm."""
    every = re.sub(r"-\d+-of-(\d+)\.", r"-*-of-\1.", name)
    return every if re.fullmatch(r"[\w.*-]+", every) else f"*{Path(name).suffix}"


def _shards(folder: Path) -> list[Path]:
    """Return the files that the index lists, all of them inside the folder."""
    index = folder / INDEX
    files = read_object(index).get("weight_map")
    if not fits(files, dict[str, str]):
        raise CheckpointError(f"{index}: expected JSON with a `weight_map`, tensor to file")
    return [_shard(folder, name) for name in sorted(set(files.values()))]


def _shard(folder: Path, name: str) -> Path:
    if not name.endswith(".safetensors") or set(name) & set("/\\:") or not name.isprintable():
        raise CheckpointError(
            f"{folder / INDEX}: {name!r:.100} is not the name of a safetensors file in the same folder"
        )
    path = folder / name
    if not os.path.isfile(path):
        raise CheckpointError(f"{path}: not found, though {INDEX} names it: download it too")
    if path.resolve().parent not in _homes(folder):
        raise CheckpointError(f"{path}: is a link to a file outside the folder: put the file itself there")
    return path


def _homes(folder: Path) -> list[Path]:
    """Where the files of a folder may lie: in it; in Hugging Face's cache also in `blobs` beside `snapshots`."""
    home = folder.resolve()
    return [home, home.parent.parent / "blobs"] if home.parent.name == "snapshots" else [home]
