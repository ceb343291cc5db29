"""An adapter's arrays under PEFT's names, and back.

    base_model.model.<module>.lora_A.weight  (r, I)     base_model.model.<module>.lora_B.weight  (O, r)
    prompt_embeddings                        (n, D)
    base_model.model.<parameter>, with prompt tuning base_model.<parameter>: what trains whole, as a head

<module> and <parameter> are the names that the model's own table gives. PEFT's A and B are (out, in), ours (in, out).
"""

import copy

import numpy as np

from minibert.errors import CheckpointError
from minibert.finetuning.lora import is_low_rank, sites
from minibert.finetuning.peft_config import LoraConfig, PeftConfig
from minibert.finetuning.prompt_tuning import PROMPT
from minibert.frozen import is_frozen, trainable
from minibert.models.base import Model
from minibert.models.names import fill, numbers_in
from minibert.models.safetensors_file import Stored
from minibert.tree import Tree, flatten, tree_items, unflatten


def low_rank_names(model: Model, config: PeftConfig) -> dict[str, str]:
    """Return {our name: PEFT's name} of every A and B."""
    if not isinstance(config, LoraConfig):
        return {}
    return {
        f"{node}.lora.{part}.{x}": f"base_model.model.{module}.lora_{x}.weight"
        for node, part, module in sites(model, config.target_modules)
        for x in "AB"
    }


def whole_prefix(config: PeftConfig) -> str:
    """Return what PEFT puts before the names of parameters that train whole."""
    return "base_model.model." if isinstance(config, LoraConfig) else "base_model."


def to_peft(model: Model, config: PeftConfig, tree: Tree) -> dict[str, np.ndarray]:
    """Return {PEFT's name: array} of a tree of the adapter's parameters, or of their gradients."""
    names, prefix, tensors, whole = low_rank_names(model, config), whole_prefix(config), {}, {}
    for name, leaf in tree_items(tree):
        if name in names:
            tensors[names[name]] = leaf.T
        elif name == PROMPT:
            tensors["prompt_embeddings"] = leaf
        elif ".lora." not in name:
            whole[name] = leaf
    theirs = plain(model).to_hf(unflatten(whole)) if whole else {}
    return {**tensors, **{prefix + name: leaf for name, leaf in theirs.items()}}


def from_peft(model: Model, config: PeftConfig, tensors: dict[str, Stored]) -> Tree:
    """Return the model's parameters with the adapter's arrays in their places.

    Raises
    ------
    CheckpointError
        If an array is missing, is of another shape, or has no place: the adapter was made for another model.
    """
    expected = {name: a.shape for name, a in to_peft(model, config, trainable(model.params)).items()}
    odd = sorted(set(tensors) ^ set(expected))
    if odd:
        what = "missing" if odd[0] in expected else "not a parameter of this model"
        raise CheckpointError(f"the adapter was made for another model: {odd[0]} is {what}")
    for name, shape in expected.items():
        if tensors[name].shape != shape:
            raise CheckpointError(
                f"the adapter was made for another model: {name} is {tensors[name].shape}, but the model needs {shape}"
            )
    names, prefix = low_rank_names(model, config), whole_prefix(config)
    whole = {name.removeprefix(prefix): a for name, a in tensors.items() if name.startswith(prefix)}
    bare = plain(model)
    found = flatten(fill(bare.params, bare.find(whole).flat, bare.transposed))
    flat = flatten(model.params)
    for name, leaf in flat.items():
        if is_frozen(leaf):
            continue
        if is_low_rank(name):
            new = numbers_in(tensors[names[name]], leaf.dtype).T
        else:
            new = numbers_in(tensors["prompt_embeddings"], leaf.dtype) if name == PROMPT else found[name]
        flat[name] = np.array(new, leaf.dtype, order="C")
    return unflatten(flat)


def has_adapter(params: Tree) -> bool:
    """Return whether a tree holds low-rank parts or virtual tokens."""
    return any(is_low_rank(name) or name == PROMPT for name, _ in tree_items(params))


def plain(model: Model) -> Model:
    """Return the model with the parameters that its name table knows: without adapter."""
    bare = copy.copy(model)
    flat = {name: leaf for name, leaf in tree_items(model.params) if ".lora." not in name and name != PROMPT}
    bare.params = unflatten(flat)
    return bare
