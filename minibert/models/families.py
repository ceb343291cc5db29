"""The kinds of models: their configurations, and the class that learns each objective. The first one is the default."""

from pathlib import Path
from typing import NamedTuple

from minibert.errors import CheckpointError, ConfigError
from minibert.fields import short
from minibert.files import read_object
from minibert.models.base import Model
from minibert.models.bert import BertConfig
from minibert.models.bert_heads import BertForMaskedLM, BertForPreTraining
from minibert.models.config import Config
from minibert.models.gpt import OpenAIGPTConfig, OpenAIGPTLMHeadModel
from minibert.models.gpt2 import GPT2Config, GPT2LMHeadModel
from minibert.models.roberta import RobertaConfig, RobertaForMaskedLM
from minibert.models.weights import refuse_pickles


class Family(NamedTuple):
    """A kind of model."""

    config: type[Config]
    heads: dict[str, type[Model]]  # objective -> class

    @property
    def name(self) -> str:
        """The `model_type` of its `config.json`."""
        return self.config.model_type


FAMILIES = {
    family.name: family
    for family in (
        Family(BertConfig, {"mlm+nsp": BertForPreTraining, "mlm": BertForMaskedLM}),
        Family(RobertaConfig, {"mlm": RobertaForMaskedLM}),
        Family(GPT2Config, {"clm": GPT2LMHeadModel}),
        Family(OpenAIGPTConfig, {"clm": OpenAIGPTLMHeadModel}),
    )
}
SIZES = {size: family for family in FAMILIES.values() for size in family.config.sizes}  # released size -> family


def family_of_size(name: str) -> Family:
    """Return the family of a released size, for example of "gpt2-nano". Raises `ConfigError`."""
    if name not in SIZES:
        raise ConfigError(f"no model size named {name!r}: choose one of {', '.join(SIZES)}")
    return SIZES[name]


def family_of_folder(folder: str | Path) -> Family:
    """Return the family of a run or checkpoint folder, by the `model_type` of its `config.json`.

    Raises
    ------
    CheckpointError
        If there is no such folder, it has no readable `config.json`, or the kind of model is none of ours.
    """
    path = Path(folder) / "config.json"
    if not path.is_file():
        if not Path(folder).is_dir():
            refuse_pickles(Path(folder))
        raise CheckpointError(f"{folder}: not a run or checkpoint folder, it has no config.json")
    try:
        return family_named(read_object(path).get("model_type"))
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error


def family_named(model_type: object) -> Family:
    """Return the family with that `model_type`. Raises `ConfigError` if it is none of ours."""
    if not isinstance(model_type, str) or model_type not in FAMILIES:
        raise ConfigError(f"model_type is {short(model_type)}; supported are {', '.join(FAMILIES)}")
    return FAMILIES[model_type]


def class_for(folder: str | Path, objective: str) -> type[Model]:
    """Return the class that learns `objective`, for example "clm" to write on, for the model of a checkpoint folder.

    Raises
    ------
    CheckpointError
        If the folder holds no such model.
    """
    family = family_of_folder(folder)
    if objective not in family.heads:
        able = ", ".join(other.name for other in FAMILIES.values() if objective in other.heads)
        raise CheckpointError(f"{folder}: a {family.name} model cannot do this, it takes one of {able}")
    return family.heads[objective]
