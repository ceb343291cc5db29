"""LoRA as a transformation of the parameter tree (Hu et al. 2021, arXiv:2106.09685).

The subtree of a projection, {weight, bias}, gets a third child, lora: {part: {A, B, scale, rate}}, and
`minibert.blocks.projection` computes with it. scale = alpha / r and the rate of dropout are leaves too (Frozen
scalars), so that the tree alone says what is computed. A part is "query", "key" or "value" where a checkpoint keeps
apart what we keep side by side, and "whole" otherwise.
"""

import copy
import re
from typing import NamedTuple

import numpy as np

from minibert.blocks.projection import THIRDS, columns
from minibert.errors import ConfigError
from minibert.finetuning.peft_config import LoraConfig
from minibert.frozen import freeze, thawed
from minibert.models.base import Model
from minibert.models.room import check_room
from minibert.tree import Tree, flatten, tree_get, unflatten

TARGETS = {"bert": ["query", "value"], "roberta": ["query", "value"], "gpt2": ["c_attn"], "openai-gpt": ["c_attn"]}
PROJECTION = re.compile(r"\.layers\.\d+\.(attention\.(qkv|output)|feed_forward\.(up|down))\.weight$")


class Site(NamedTuple):
    """One projection that LoRA adds to."""

    node: str  # dotted name of its subtree
    part: str
    module: str  # the checkpoint's name


def ends_with(module: str, targets: list[str]) -> bool:
    """Return whether a module's name ends, at a dot, with one of `targets`."""
    return any(module == target or module.endswith(f".{target}") for target in targets)


def sites(model: Model, targets: list[str] | str | None) -> list[Site]:
    """Return the projections of a model that `target_modules` name.

    Raises
    ------
    ConfigError
        If there is none, or one that is no projection in a layer.
    """
    targets = TARGETS[model.config.model_type] if targets is None else targets
    table, found, names = model.name_table(), [], {}  # names: a set that keeps its order
    for name in flatten(model.params):
        # one module of the checkpoint, or three, whose columns we keep side by side
        theirs = [t.removesuffix(".weight") for t in table.get(name, ()) if t.endswith(".weight")]
        for i, module in enumerate(theirs):
            hit = bool(re.fullmatch(targets, module)) if isinstance(targets, str) else ends_with(module, targets)
            part = list(THIRDS)[i] if len(theirs) > 1 else "whole"
            if PROJECTION.search(name):
                names[module.rpartition(".")[2]] = None
                if hit:
                    found.append(Site(name.removesuffix(".weight"), part, module))
            elif hit:
                raise ConfigError(f"target_modules: {module} is no projection of a layer: name the others more exactly")
    if not found:
        raise ConfigError(f"target_modules {targets} name no projection; there are {', '.join(names)}")
    return found


def add_lora(model: Model, config: LoraConfig, rng: np.random.Generator) -> Tree:
    """Return the model's parameters, Frozen, with A and B at each site.

    A begins uniform in +-1 / sqrt(I), as in PEFT and the paper's code (the paper says: normal); B begins as zeros, so
    the model begins as it was.
    """
    flat = flatten(freeze(model.params, lambda name: False))  # nothing of it trains
    found = sites(model, config.target_modules)
    widths = sum(len(flat[f"{node}.weight"]) for node, _, _ in found)
    check_room(f"LoRA of rank {config.r}", config.r * widths, model.dtype.itemsize)
    for node, part, _ in found:
        n_in, n_out = flat[f"{node}.weight"].shape
        n_out = n_out if part == "whole" else n_out // len(THIRDS)
        bound = 1 / np.sqrt(n_in)
        new = {
            "A": rng.uniform(-bound, bound, (n_in, config.r)).astype(model.dtype),  # (I, r)
            "B": np.zeros((config.r, n_out), model.dtype),  # (r, O or O/3)
            "scale": np.array(config.lora_alpha / config.r, model.dtype),
            "rate": np.array(config.lora_dropout, model.dtype),
        }
        flat.update({f"{node}.lora.{part}.{name}": value for name, value in new.items()})
    return freeze(unflatten(flat), is_low_rank)


def is_low_rank(name: str) -> bool:
    """Return whether a dotted name is that of an A or a B."""
    return re.search(r"\.lora\.\w+\.[AB]$", name) is not None


def merge(params: Tree) -> Tree:
    """Return the tree without low-rank parts, each added to its weight: W + s A B. Nothing is changed in place.

    To unmerge, go on with `params`: subtracting s A B again would not give back W's bits.
    """
    merged = {}
    for key, value in params.items():
        if isinstance(value, dict):
            merged[key] = merge({k: v for k, v in value.items() if k != "lora"})
            if "lora" in value:
                merged[key]["weight"] = merged_weight(value)
        else:
            merged[key] = value
    return merged


def without_low_rank(model: Model) -> Model:
    """Return a copy of the model with every low-rank part merged; the arrays of all else are shared."""
    bare = copy.copy(model)
    bare.params = merge(model.params)
    return bare


def merged_weight(p: Tree) -> np.ndarray:
    """p {weight W (I, O), lora}  ->  W + s A B, in the columns of each part; (I, O)."""
    weight = np.array(p["weight"])  # an ordinary copy
    for part, q in p["lora"].items():
        weight[:, columns(part, q["B"])] += float(q["scale"]) * (q["A"] @ q["B"])
    return weight


def lora_of(params: Tree, site: Site) -> Tree:
    """Return {A, B, scale, rate} of a site."""
    return tree_get(params, f"{site.node}.lora.{site.part}")


def thaw_all(params: Tree) -> Tree:
    """Return the tree with everything free to train."""
    return {key: thaw_all(value) if isinstance(value, dict) else thawed(value) for key, value in params.items()}
