"""How a checkpoint makes one vector of its tokens': the small files that sentence-transformers keeps beside a model."""

from pathlib import Path
from typing import Any, NamedTuple

from minibert.errors import CheckpointError
from minibert.files import read_object, read_text
from minibert.json_text import parse

MODULES, POOLING, LENGTH = "modules.json", "1_Pooling/config.json", "sentence_bert_config.json"
RECIPE_FILES = (MODULES, "1_Pooling", LENGTH)
KINDS = ["Transformer", "Pooling", "Normalize"]  # the modules that are known, in their order; the last may be absent
PREFIX = "pooling_mode_"
POOLINGS = {"mean_tokens": "mean", "cls_token": "cls"}


class Recipe(NamedTuple):
    """What follows the encoder. A folder that says nothing gets this: the mean, of the length it has."""

    pooling: str = "mean"  # or "cls": the first token's vector
    normalise: bool = False
    max_seq_length: int | None = None  # tokens; None: as many as the model has positions for


def read_recipe(folder: Path) -> Recipe:
    """Read `modules.json` and what it names.

    Raises
    ------
    CheckpointError
        A file is damaged, or asks for something that is not computed here.
    """
    length = _read(folder / LENGTH)
    if length.get("do_lower_case"):
        raise CheckpointError(f"{folder / LENGTH}: do_lower_case is not supported here: the tokenizer should do it")
    most = length.get("max_seq_length")
    if most is not None and (type(most) is not int or most < 2):
        raise CheckpointError(f"{folder / LENGTH}: max_seq_length must be an integer of at least 2, but is {most!r}")
    if not (folder / MODULES).is_file():
        return Recipe(max_seq_length=most)
    kinds = _modules(folder / MODULES)
    return Recipe(_pooling(folder / POOLING), "Normalize" in kinds, most)


def write_recipe(recipe: Recipe, folder: Path, width: int) -> None:
    """Write the files that `read_recipe` and sentence-transformers read, for a model so wide."""
    from minibert.files import write_json

    paths = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}
    kinds = KINDS if recipe.normalise else KINDS[:-1]
    modules = [
        {"idx": i, "name": str(i), "path": paths[kind], "type": f"sentence_transformers.models.{kind}"}
        for i, kind in enumerate(kinds)
    ]
    modes = {f"{PREFIX}{mode}": pooling == recipe.pooling for mode, pooling in POOLINGS.items()}
    (folder / "1_Pooling").mkdir(parents=True, exist_ok=True)
    write_json(folder / MODULES, modules)
    write_json(folder / POOLING, {"word_embedding_dimension": width, **modes})
    write_json(folder / LENGTH, {"max_seq_length": recipe.max_seq_length, "do_lower_case": False})


def _modules(path: Path) -> list[str]:
    """Return the kinds of the modules. A Transformer elsewhere than in the folder itself is not found."""
    content = parse(read_text(path), str(path), CheckpointError)
    try:
        modules = [(module["type"].split(".")[-1], module["path"]) for module in content]
    except (TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{path}: expected a list of modules, each with `type` and `path` ({error!r})") from error
    kinds = [kind for kind, _ in modules]
    if kinds not in (KINDS, KINDS[:-1]):
        raise CheckpointError(
            f"{path}: modules are {', '.join(kinds)}; supported are {', '.join(KINDS)}, in this order"
        )
    if modules[0][1] or modules[1][1] != "1_Pooling":
        raise CheckpointError(f"{path}: the model must be in the folder itself, and its pooling in 1_Pooling")
    return kinds


def _pooling(path: Path) -> str:
    if not path.is_file():
        raise CheckpointError(f"{path}: not found, though {MODULES} names it")
    modes = [name.removeprefix(PREFIX) for name, on in _read(path).items() if name.startswith(PREFIX) and on]
    if len(modes) != 1 or modes[0] not in POOLINGS:
        raise CheckpointError(
            f"{path}: pools by {', '.join(modes) or 'nothing'}; supported is one of {', '.join(POOLINGS)}"
        )
    return POOLINGS[modes[0]]


def _read(path: Path) -> dict[str, Any]:
    """Return the JSON object of a file; a file that is not there says nothing."""
    return read_object(path) if path.is_file() else {}
