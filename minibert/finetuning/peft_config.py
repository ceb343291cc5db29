"""What an adapter is, in the words of PEFT's `adapter_config.json`."""

import json
import math
import os
import re
from dataclasses import dataclass, fields
from numbers import Real
from pathlib import Path
from typing import Any, ClassVar

from minibert.errors import CheckpointError, ConfigError
from minibert.fields import from_json, short
from minibert.files import read_object
from minibert.ops.dropout import check_rate

CONFIG = "adapter_config.json"
LONGEST_PATTERN = 10_000  # characters
TASK_HEADS = {  # the modules that PEFT trains beside the adapter, by task
    "SEQ_CLS": ["classifier", "score"],
    "TOKEN_CLS": ["classifier", "score"],
    "QUESTION_ANS": ["qa_outputs"],
}
TASKS = (*TASK_HEADS, "CAUSAL_LM", "FEATURE_EXTRACTION")


@dataclass(kw_only=True)
class PeftConfig:
    """What all kinds of adapters have.

    Parameters
    ----------
    task_type : {"SEQ_CLS", "TOKEN_CLS", "QUESTION_ANS", "CAUSAL_LM", "FEATURE_EXTRACTION"}, optional
        For classification and answers the head trains too, and is saved with the adapter.
    modules_to_save : list of str, optional
        Further modules, by the end of their name in the checkpoint, that train and are saved: for example "pooler".
    base_model_name_or_path : str, optional
        A note where the model comes from.
    """

    peft_type: ClassVar[str]

    task_type: str | None = None
    modules_to_save: list[str] | None = None
    base_model_name_or_path: str | None = None

    def __post_init__(self) -> None:
        if self.task_type is not None and self.task_type not in TASKS:
            raise ConfigError(f"task_type must be one of {', '.join(TASKS)}, but is {self.task_type!r}")
        self.validate()

    def validate(self) -> None:
        """Raise `ConfigError` if a value cannot work."""

    def saved_modules(self) -> list[str]:
        """Return the modules that train and are saved whole."""
        return list(dict.fromkeys([*(self.modules_to_save or []), *TASK_HEADS.get(self.task_type, [])]))

    def values(self) -> dict[str, Any]:
        """Return the fields as `adapter_config.json` holds them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def to_json(self, **more: Any) -> str:
        """Return the text of `adapter_config.json`."""
        values = self.values()
        values |= {"peft_type": self.peft_type, "inference_mode": True, **more}
        values["modules_to_save"] = self.saved_modules() or None
        return json.dumps(values, indent=2, sort_keys=True) + "\n"


@dataclass(kw_only=True)
class LoraConfig(PeftConfig):
    """LoRA (Hu et al. 2021, arXiv:2106.09685): y = x W + b + (alpha / r) dropout(x) A B, with W and b frozen.

    Parameters
    ----------
    r : int
        The rank of A B.
    lora_alpha : float
    lora_dropout : float
        Of what A reads.
    target_modules : list of str, or str, optional
        Which projections, by the end of their name in the checkpoint, or a regular expression that the whole name
        matches. By default what PEFT takes: query and value, in GPT-2 `c_attn`.
    bias : {"none"}
        PEFT can train biases too; that is not done here.
    """

    peft_type: ClassVar[str] = "LORA"

    r: int = 8
    lora_alpha: float = 8
    lora_dropout: float = 0.0
    target_modules: list[str] | str | None = None
    bias: str = "none"

    def validate(self) -> None:
        """Raise `ConfigError` if a value cannot work."""
        if not isinstance(self.r, int) or self.r < 1:
            raise ConfigError(f"r, the rank, must be an integer of at least 1, but is {self.r!r}")
        for name in ("lora_alpha", "lora_dropout"):
            value = getattr(self, name)
            if not isinstance(value, Real) or not math.isfinite(value):
                raise ConfigError(f"{name} must be a number, but is {value!r}")
        check_rate(self.lora_dropout)
        if isinstance(self.target_modules, str):
            if len(self.target_modules) > LONGEST_PATTERN:
                raise ConfigError(f"target_modules is a regular expression of {len(self.target_modules):,} characters")
            try:
                re.compile(self.target_modules)
            except (re.error, RecursionError, OverflowError) as error:
                raise ConfigError(
                    f"target_modules {self.target_modules!r} is no regular expression: {error}"
                ) from error
        if self.bias != "none":
            raise ConfigError(f"bias must be 'none', but is {self.bias!r}: to train biases use the method `bias`")


@dataclass(kw_only=True)
class PromptTuningConfig(PeftConfig):
    """Prompt tuning (Lester, Al-Rfou & Constant 2021, arXiv:2104.08691): vectors of virtual tokens before the input.

    Parameters
    ----------
    num_virtual_tokens : int
    prompt_tuning_init : {"RANDOM", "TEXT", "SAMPLE_VOCAB"}
        How their vectors begin: at random, with the standard deviation of the tokens' vectors; as the tokens of
        `prompt_tuning_init_text`, which is repeated or cut; as tokens drawn from the vocabulary.
    prompt_tuning_init_text, tokenizer_name_or_path : str, optional
        For "TEXT": the text, and a folder with the tokenizer's files.
    """

    peft_type: ClassVar[str] = "PROMPT_TUNING"

    num_virtual_tokens: int = 20
    prompt_tuning_init: str = "RANDOM"
    prompt_tuning_init_text: str | None = None
    tokenizer_name_or_path: str | None = None

    def validate(self) -> None:
        """Raise `ConfigError` if a value cannot work."""
        if not isinstance(self.num_virtual_tokens, int) or self.num_virtual_tokens < 1:
            raise ConfigError(
                f"num_virtual_tokens must be an integer of at least 1, but is {self.num_virtual_tokens!r}"
            )
        if self.prompt_tuning_init not in ("RANDOM", "TEXT", "SAMPLE_VOCAB"):
            raise ConfigError(
                f"prompt_tuning_init must be RANDOM, TEXT or SAMPLE_VOCAB, but is {self.prompt_tuning_init!r}"
            )
        if self.prompt_tuning_init == "TEXT" and not self.prompt_tuning_init_text:
            raise ConfigError("prompt_tuning_init TEXT needs a prompt_tuning_init_text")

    def values(self) -> dict[str, Any]:
        """Return the fields for a file. PEFT takes no text without a tokenizer; how the vectors began is history."""
        values = super().values()
        if values["prompt_tuning_init"] == "TEXT" and values["tokenizer_name_or_path"] is None:
            values |= {"prompt_tuning_init": "RANDOM", "prompt_tuning_init_text": None}
        return values


KINDS = {kind.peft_type: kind for kind in (LoraConfig, PromptTuningConfig)}
CHANGES_THE_MATHEMATICS = (  # fields of PEFT that are not computed here; all are empty or False by default
    *("use_rslora", "use_dora", "lora_bias", "use_qalora", "use_bdlora", "layers_to_transform", "layer_replication"),
    *("rank_pattern", "alpha_pattern", "exclude_modules", "target_parameters", "trainable_token_indices"),
    *("alora_invocation_tokens", "arrow_config", "kasa_config", "megatron_config"),
)


def read_values(folder: Path) -> dict[str, Any]:
    """Return everything that `adapter_config.json` says. Raises `CheckpointError` if it is missing or broken."""
    path = folder / CONFIG
    if not os.path.isfile(path):
        raise CheckpointError(f"{path}: not found; an adapter is a folder with {CONFIG} and its weights")
    values = read_object(path)
    if not isinstance(values.get("peft_type"), str):
        raise CheckpointError(f"{path}: expected JSON with a `peft_type`")
    return values


def read_config(folder: Path) -> PeftConfig:
    """Open `adapter_config.json`.

    Raises
    ------
    CheckpointError
        If it is missing or broken, or of a kind that is not computed here.
    """
    path, values = folder / CONFIG, read_values(folder)
    kind = KINDS.get(values["peft_type"])
    if kind is None:
        raise CheckpointError(
            f"{path}: peft_type is {short(values['peft_type'])}, but only {', '.join(KINDS)} are known here"
        )
    for name in CHANGES_THE_MATHEMATICS:
        if values.get(name):
            raise CheckpointError(f"{path}: the adapter needs {name}, which is not computed here")
    if values.get("num_transformer_submodules") not in (None, 1):
        raise CheckpointError(f"{path}: the adapter is for a model of several Transformers")
    return from_json(kind, values, str(path), more=True)
