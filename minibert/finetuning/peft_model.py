"""A model with an adapter, in PEFT's words: `get_peft_model`, `save_pretrained`, `merge_and_unload`.

The adapter is in the base model's parameter tree, so the base model computes with it. What is left for `PeftModel` is
to put virtual tokens before each batch, and to read and write the adapter's two files.
"""

import inspect
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from minibert.errors import CheckpointError, ConfigError
from minibert.files import make_folder, write_whole
from minibert.finetuning.lora import TARGETS, add_lora, ends_with, is_low_rank, merge, thaw_all
from minibert.finetuning.peft_config import (
    CONFIG,
    TASK_HEADS,
    LoraConfig,
    PeftConfig,
    PromptTuningConfig,
    read_config,
    read_values,
)
from minibert.finetuning.peft_names import from_peft, has_adapter, plain, to_peft
from minibert.finetuning.prompt_tuning import PROMPT, add_prompt, with_prompt
from minibert.frozen import freeze, trainable
from minibert.models.base import Losses, Model
from minibert.models.safetensors_file import Stored, read_tensors
from minibert.tree import Tree, flatten

WEIGHTS = "adapter_model.safetensors"
PER_TOKEN = {  # what an output says of each token, and with how many axes: logits (B, C) are of whole texts
    "last_hidden_state": 3,
    "logits": 3,
    "prediction_logits": 3,
    "start_logits": 2,
    "end_logits": 2,
}


def get_peft_model(model: Model, peft_config: PeftConfig, seed: int = 0, tokenizer: Any = None) -> "PeftModel":
    """Add an adapter to a model and freeze everything else.

    Parameters
    ----------
    model : Model
        Its `params` become a tree with the adapter and the same memory for all else: make the optimizer afterwards.
    peft_config : LoraConfig or PromptTuningConfig
    seed : int
        Of the adapter's random initial parameters.
    tokenizer : optional
        For a prompt that begins as a text.

    Raises
    ------
    ConfigError
        If the adapter does not fit the model, or there is one already.
    """
    if isinstance(model, PeftModel) or has_adapter(model.params):
        raise ConfigError("the model has an adapter already: merge_and_unload() it first, or unload() it")
    if not isinstance(peft_config, PeftConfig):
        raise ConfigError(
            f"peft_config must be LoraConfig or PromptTuningConfig, but is a {type(peft_config).__name__}"
        )
    rng = np.random.default_rng(seed)
    if isinstance(peft_config, LoraConfig):
        params = add_lora(model, peft_config, rng)
    else:
        params = add_prompt(model, peft_config, rng, tokenizer)
    modules, table = peft_config.saved_modules(), model.name_table()
    _check_modules(peft_config, table)

    def trains(name: str) -> bool:
        owners = [theirs.rpartition(".")[0] for theirs in table.get(name, ())]
        whole = any(ends_with(".".join(o.split(".")[:k]), modules) for o in owners for k in range(1, o.count(".") + 2))
        return is_low_rank(name) or name == PROMPT or whole

    model.params = freeze(params, trains)
    return PeftModel(model, peft_config)


class PeftModel(Model):
    """A model with an adapter: a `Model` like any other to the training loop. Made by `get_peft_model`.

    What it does not define, it has from the base model: `model.generate`, `model.check`, ...

    Parameters
    ----------
    base_model : Model
        Whose `params` hold the adapter.
    peft_config : PeftConfig
    """

    def __init__(self, base_model: Model, peft_config: PeftConfig) -> None:
        self.base_model = base_model
        self.peft_config = peft_config
        self._unmerged: Tree | None = None

    def __getattr__(self, name: str) -> Any:
        if name == "base_model":  # not there yet: a copy is being made
            raise AttributeError(name)
        return getattr(self.base_model, name)

    @property
    def params(self) -> Tree:
        """The base model's parameters, the adapter's among them."""
        return self.base_model.params

    @params.setter
    def params(self, params: Tree) -> None:
        self.base_model.params = params

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the base model. With prompt tuning the output is that of the text's own tokens."""
        if self._n == 0:
            return self.base_model(*args, **kwargs)
        names = list(inspect.signature(type(self.base_model).__call__).parameters)[1:]
        batch = {**dict(zip(names, args, strict=False)), **kwargs}
        output = self.base_model(**self._prepared(batch))
        for name, axes in PER_TOKEN.items():
            value = vars(output).get(name)
            if value is not None and value.ndim == axes:
                setattr(output, name, value[:, self._n :])
        return output

    def forward_loss(self, batch: dict[str, Any], key: int | None, counts: dict[str, int]) -> tuple[Losses, Any]:
        """Return the losses of a batch, and the cache for `backward`."""
        return self.base_model.forward_loss(self._prepared(batch), key, counts)

    def backward(self, cache: Any) -> Tree:
        """Return the gradients of the total loss."""
        return self.base_model.backward(cache)

    def count_targets(self, batch: dict[str, Any]) -> dict[str, int]:
        """Return how many targets each loss has in a batch."""
        return self.base_model.count_targets(self._prepared(batch))

    def to_hf(self, tree: Tree | None = None) -> dict[str, np.ndarray]:
        """Return a tree of what trains (by default these parameters) under PEFT's names."""
        return to_peft(self.base_model, self.peft_config, trainable(self.params) if tree is None else tree)

    def name_table(self) -> dict[str, tuple[str, ...]]:
        """Return the checkpoint's names of the base model's parameters."""
        return self.base_model.name_table()

    def num_parameters(self) -> int:
        """Return the number of scalars in all parameters. What says how to compute, as alpha / r, is none."""
        return sum(leaf.size for leaf in flatten(self.params).values() if leaf.ndim)

    def print_trainable_parameters(self) -> None:
        """Print how many scalars train, of how many."""
        learned, total = self.num_trainable_parameters(), self.num_parameters()
        print(f"trainable params: {learned:,} || all params: {total:,} || trainable%: {100 * learned / total:.4f}")

    def merge_adapter(self) -> None:
        """Add every low-rank part to its weight: predicting costs what it costs without adapter."""
        self._check_mergeable()
        if self._unmerged is None:
            self._unmerged, self.params = self.params, merge(self.params)

    def unmerge_adapter(self) -> None:
        """Take `merge_adapter` back, to the same bits as before."""
        if self._unmerged is not None:
            self.params, self._unmerged = self._unmerged, None

    def merge_and_unload(self) -> Model:
        """Return the base model with the adapter merged into its weights, as an ordinary model: all of it may train."""
        self.merge_adapter()
        self.base_model.params = thaw_all(self.params)
        return self.base_model

    def unload(self) -> Model:
        """Return the base model without the adapter, as an ordinary model."""
        self.unmerge_adapter()
        self.base_model.params = thaw_all(plain(self.base_model).params)
        return self.base_model

    def save_pretrained(self, folder: str | Path) -> None:
        """Write `adapter_config.json` and `adapter_model.safetensors`, which PEFT opens; not the base model."""
        from safetensors.numpy import save

        self.unmerge_adapter()
        folder = make_folder(folder)
        tensors = {name: np.ascontiguousarray(tensor) for name, tensor in self.to_hf().items()}
        text = self.peft_config.to_json(**self._facts())
        write_whole(folder / WEIGHTS, lambda path: path.write_bytes(save(tensors, metadata={"format": "pt"})))
        write_whole(folder / CONFIG, lambda path: path.write_text(text, encoding="utf-8"))

    @classmethod
    def from_pretrained(cls, model: Model, folder: str | Path, is_trainable: bool = False) -> Self:
        """Open an adapter that was saved here or by PEFT.

        Parameters
        ----------
        model : Model
            The model that the adapter was made for. Its `params` get the adapter; if it does not fit, they stay.
        folder : path
        is_trainable : bool
            Go on training it. Otherwise everything is Frozen.

        Raises
        ------
        CheckpointError
            If a file is missing or broken, or the adapter was made for another model.
        """
        folder, before = Path(folder), model.params
        config = read_config(folder)
        tensors = read_tensors(folder / WEIGHTS)
        try:
            config = _of_files(config, tensors)
            adapted = get_peft_model(model, _without_text(config))
            if isinstance(config, PromptTuningConfig):  # vectors fit any model of this width: what else is known of it?
                _check_facts(read_values(folder), adapted._facts())
            params = from_peft(model, config, tensors)
        except Exception:
            model.params = before
            raise
        trains = set(flatten(trainable(adapted.params))) if is_trainable else set()
        model.params = freeze(params, trains.__contains__)
        return cls(model, config)

    @property
    def _n(self) -> int:
        """The number of virtual tokens."""
        return len(self.params["embeddings"].get("prompt", ()))

    def _prepared(self, batch: dict[str, Any]) -> dict[str, Any]:
        return with_prompt(batch, len(self.params["embeddings"]["token"]), self._n) if self._n else batch

    def _check_mergeable(self) -> None:
        if not isinstance(self.peft_config, LoraConfig):
            raise ConfigError("virtual tokens cannot be merged into weights: keep the adapter")

    def _facts(self) -> dict[str, Any]:
        """What PEFT's file says beside the configuration, about the base model."""
        model, config = self.base_model, self.base_model.config
        if isinstance(self.peft_config, LoraConfig):
            targets = self.peft_config.target_modules
            return {"fan_in_fan_out": not model.transposed, "target_modules": targets or TARGETS[config.model_type]}
        return {
            "token_dim": self.params["embeddings"]["token"].shape[1],
            "num_transformer_submodules": 1,
            "num_layers": len(next(self.params[k] for k in ("encoder", "decoder") if k in self.params)["layers"]),
            "num_attention_heads": config.layer_settings().heads,
        }


def _check_facts(said: dict[str, Any], facts: dict[str, Any]) -> None:
    for name, ours in facts.items():
        if said.get(name) not in (None, ours):
            raise CheckpointError(
                f"the adapter was made for another model: its {name} is {said[name]!r}, this model's is {ours!r}"
            )


def _check_modules(config: PeftConfig, table: dict[str, tuple[str, ...]]) -> None:
    """Refuse a module to save that the model lacks: it would not train, without a word."""
    owners = {theirs.rpartition(".")[0] for names in table.values() for theirs in names}
    prefixes = {".".join(o.split(".")[:k]) for o in owners for k in range(1, o.count(".") + 2)}
    for module in config.modules_to_save or ():
        if module not in TASK_HEADS.get(config.task_type, ()) and not any(ends_with(p, [module]) for p in prefixes):
            raise ConfigError(f"modules_to_save: the model has no module {module}")


def _of_files(config: PeftConfig, tensors: dict[str, Stored]) -> PeftConfig:
    """The configuration with the rank and the modules of the file of weights.

    So no more room is made than the file fills, and no regular expression of a stranger is ever matched: there are
    some that take longer than anybody waits.
    """
    if not isinstance(config, LoraConfig):
        return config
    for name, tensor in tensors.items():
        if name.endswith(".lora_A.weight") and tensor.shape[:1] != (config.r,):
            raise CheckpointError(
                f"the adapter was made for another model: {name} is {tensor.shape}, but r in {CONFIG} is {config.r}"
            )
    names = (re.fullmatch(r"base_model\.model\.(.+)\.lora_A\.weight", name) for name in tensors)
    modules = [name[1] for name in names if name]
    if not modules:
        raise CheckpointError(f"the file of weights beside {CONFIG} holds no lora_A: it is not of this adapter")
    return replace(config, target_modules=modules) if isinstance(config.target_modules, str) else config


def _without_text(config: PeftConfig) -> PeftConfig:
    """The configuration to make room for vectors that are read from a file: no tokenizer is needed."""
    if isinstance(config, PromptTuningConfig):
        return replace(config, prompt_tuning_init="RANDOM")
    return config
