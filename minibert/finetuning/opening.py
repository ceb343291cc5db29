"""Opening a model for a task: to train it, or as it was trained; checkpoints, runs, released models and adapters."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minibert.data.released_models import RELEASED_MODELS, model_folder
from minibert.errors import CheckpointError, ConfigError, DataError
from minibert.files import read_object
from minibert.finetuning.opening_pairs import open_pairs
from minibert.finetuning.peft_config import CONFIG as ADAPTER
from minibert.finetuning.peft_config import LoraConfig, read_config
from minibert.finetuning.peft_model import PeftModel
from minibert.finetuning.predictor import Predictor
from minibert.finetuning.task_settings import FILE, TaskSettings, read_settings
from minibert.finetuning.tasks import TASKS, Task
from minibert.models import tasks as heads
from minibert.models.families import family_of_folder
from minibert.models.label_config import MULTI_LABEL, REGRESSION
from minibert.models.task_model import TaskModel
from minibert.models.tokenizer_beside import open_tokenizer_of
from minibert.tokenizers.base import PretrainedTokenizer

KINDS = {  # how the class of a checkpoint ends -> kind of head
    "ForSequenceClassification": "sequence-classification",
    "ForTokenClassification": "token-classification",
    "ForQuestionAnswering": "question-answering",
    "ForMultipleChoice": "multiple-choice",
}
SHOWN = 10  # labels in a message


class Start(NamedTuple):
    """A model to be trained."""

    model: TaskModel
    tokenizer: PretrainedTokenizer
    names: list[str]  # of the labels, in the order of its head
    about: str  # what is at its end, in words


def open_to_train(source: str, task: Task, names: list[str], new_head: bool = False, seed: int = 0) -> Start:
    """Open a checkpoint with the head of a task: that of the file, or a new one.

    Parameters
    ----------
    source : str
        A folder, or the name of a released model.
    task : Task
    names : list of str
        The labels of the data.
    new_head : bool
        Begin a new head even if the file has one.
    seed : int
        Of a new head.

    Raises
    ------
    CheckpointError
        There is no such model, it cannot do the task, or its head knows other labels.
    """
    folder = model_folder(source)
    if (folder / ADAPTER).is_file():
        raise CheckpointError(f"{source}: is an adapter; give the model that it was made for, which trains anew")
    if not task.has_head:
        model, about = open_pairs(source, names)
        return Start(model, model.encoder.tokenizer, names, about)
    cls = head_class(folder, task)
    config = cls.config_class.from_pretrained(folder)
    tokenizer = open_tokenizer_of(config, folder)
    if kind_of_head(folder) == task.kind and not new_head:
        names = known_labels(source, folder, task, names)
    changes = {**task.config(names), **_padding(tokenizer, config)}
    with quiet_about_new_heads():
        model, info = cls.from_pretrained(folder, output_loading_info=True, ignore_mismatched_sizes=new_head, **changes)
    is_new = new_head or bool(head_tensors(model) & set(info["missing_keys"]))
    if is_new:
        model.params["task_head"] = model.init_head(np.random.default_rng(seed))
    return Start(model, tokenizer, names, "a new head" if is_new else "the head that it has")


def open_trained(source: str, base: str = "") -> tuple[Predictor, TaskSettings]:
    """Open a model that was fine-tuned here or elsewhere, or an adapter on the model that it was made for.

    Parameters
    ----------
    source : str
    base : str
        The model of an adapter, if it is not where it was.

    Raises
    ------
    CheckpointError
        It is no such model, or the adapter was made for another one.
    """
    folder = model_folder(source)
    settings = read_settings(folder) or _settings_of(source, folder)
    task = settings.make_task()
    if not task.has_head:
        model, _ = open_pairs(source, settings.labels)
        return Predictor(model, model.encoder.tokenizer, task, settings.labels, settings.max_length), settings
    is_adapter = (folder / ADAPTER).is_file()
    home = _base_folder(source, folder, base) if is_adapter else folder
    cls = head_class(home, task)
    config = cls.config_class.from_pretrained(home)
    tokenizer = open_tokenizer_of(config, folder)
    changes = {**task.config(settings.labels), **_padding(tokenizer, config)}
    with quiet_about_new_heads():
        model, info = cls.from_pretrained(home, output_loading_info=True, ignore_mismatched_sizes=is_adapter, **changes)
    if not is_adapter and (lacking := head_tensors(model) & set(info["missing_keys"])):
        raise CheckpointError(f"{source}: the head is not in the file, {sorted(lacking)[0]} is missing: fine-tune it")
    if is_adapter:
        model = _adapted(source, folder, model)
    return Predictor(model, tokenizer, task, settings.labels, settings.max_length), settings


def is_task_folder(folder: Path) -> bool:
    """Return whether a folder holds a model with the head of a task, or an adapter."""
    return (folder / FILE).is_file() or (folder / ADAPTER).is_file() or kind_of_head(folder) is not None


def kind_of_head(folder: Path) -> str | None:
    """Return the kind of head that a checkpoint says it has, a key of `minibert.models.tasks.TASKS`; None: of none."""
    path = folder / "config.json"
    named = read_object(path).get("architectures") if path.is_file() else None
    first = named[0] if isinstance(named, list) and named and isinstance(named[0], str) else ""
    return next((kind for ending, kind in KINDS.items() if first.endswith(ending)), None)


def head_class(folder: Path, task: Task) -> type[TaskModel]:
    """Return the class that does the task. Raises `CheckpointError` if there is none for such a model."""
    family, able = family_of_folder(folder), heads.TASKS[task.kind]
    if family.name not in able:
        raise CheckpointError(f"{folder}: a {family.name} model cannot do {task.name}, one of {', '.join(able)} can")
    return able[family.name]


def head_tensors(model: TaskModel) -> set[str]:
    """Return the checkpoint's names of a head's parameters."""
    return {theirs for names in model.head_names.values() for theirs in names}


def known_labels(source: str, folder: Path, task: Task, names: list[str]) -> list[str]:
    """Return the labels of a checkpoint's head, in its order, if the data has the same.

    Labels that nobody named, LABEL_0, LABEL_1, get the names of the data.

    Raises
    ------
    CheckpointError
        The head knows other labels, or another number of them.
    """
    config = family_of_folder(folder).config.from_pretrained(folder)
    known, wanted = list(config.id2label.values()), task.config(names)
    if "id2label" not in wanted:
        return names
    nameless = known == [f"LABEL_{i}" for i in range(len(known))] or wanted.get("problem_type") == REGRESSION
    same = len(known) == len(names) if nameless else sorted(known) == sorted(names)
    if not same or config.problem_type not in (None, wanted.get("problem_type")):
        raise CheckpointError(
            f"{source}: its head has {len(known)} labels ({_some(known)}), the data for {task.name} has {len(names)} "
            f"({_some(names)}): begin a new head with --new_head, or take data with the labels of the model"
        )
    return names if nameless else known


@contextmanager
def quiet_about_new_heads() -> Iterator[None]:
    """Do not warn that a head begins at random in a `with` block: here that is meant, and is said otherwise."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*initialised at random")
        warnings.filterwarnings("ignore", message=".*left out, no parameters")
        yield


def lasting_name(source: str) -> str:
    """Return how to find a model again from any folder: a name, or a full path."""
    return source if source in RELEASED_MODELS else str(Path(source).resolve())


def _adapted(source: str, folder: Path, model: TaskModel) -> TaskModel | PeftModel:
    """The model with its adapter; a low-rank one is merged, so that predicting costs what it costs without."""
    try:
        adapted = PeftModel.from_pretrained(model, folder)
    except (CheckpointError, ConfigError) as error:
        raise CheckpointError(f"{source}: {error}") from error
    if isinstance(adapted.peft_config, LoraConfig):
        return adapted.merge_and_unload()
    return adapted


def _base_folder(source: str, folder: Path, base: str) -> Path:
    """The folder of the model that an adapter was made for."""
    name = base or read_config(folder).base_model_name_or_path
    if not name:
        raise CheckpointError(f"{source}: the adapter does not say which model it was made for: give it with --base")
    try:
        return model_folder(name)
    except CheckpointError as error:
        hint = "" if base else "; if it was moved, say where it is with --base"
        raise CheckpointError(f"{source}: the model that the adapter was made for: {error}{hint}") from error


def _settings_of(source: str, folder: Path) -> TaskSettings:
    """What a checkpoint without `task.json` says of its task."""
    if (folder / ADAPTER).is_file():
        raise CheckpointError(f"{source}: an adapter without {FILE}, which says what its labels are")
    kind = kind_of_head(folder)
    if kind is None:
        family_of_folder(folder)  # says so if it is no checkpoint at all
        raise CheckpointError(f"{source}: has no head of a task: fine-tune it first, minibert finetune {source} ...")
    config = family_of_folder(folder).config.from_pretrained(folder)
    problem = REGRESSION if config.num_labels == 1 else config.problem_type
    names = {REGRESSION: "regression", MULTI_LABEL: "multi-label"}
    task = next(t for name, t in TASKS.items() if t.kind == kind and name == names.get(problem, name))
    labels = list(config.id2label.values())
    labels = {"question-answering": ["answer"], "multiple-choice": ["label"]}.get(task.name, labels)
    return TaskSettings(
        task=task.name,
        columns=task.columns._asdict(),
        labels=labels,
        max_length=min(task.longest, config.max_length),
        base_model=source,
    )


def _padding(tokenizer: PretrainedTokenizer, config: Any) -> dict[str, int]:
    """What the configuration must say of padding. GPT has none: then the end of a text pads, which the mask hides."""
    if getattr(config, "pad_token_id", None) is not None:
        return {}
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token is None:
        raise DataError("the tokenizer has no token to pad with: take a model with byte pairs or WordPieces")
    return {"pad_token_id": tokenizer.pad_token_id}


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
