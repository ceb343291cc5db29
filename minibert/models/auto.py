"""Classes that choose a model's class by the `model_type` of its configuration.

A task with a head of its own gets a class here with its row of `model_type` to class; what a family is
pre-trained on stands in `minibert.models.families` already.
"""

from pathlib import Path
from typing import Any, ClassVar

from minibert.errors import CheckpointError, ConfigError
from minibert.models.base import Model
from minibert.models.bodies import BODIES
from minibert.models.config import Config
from minibert.models.families import FAMILIES, family_named, family_of_folder
from minibert.models.tasks import TASKS


class AutoConfig:
    """`AutoConfig.from_pretrained(folder)` gives the configuration of the kind that `config.json` names."""

    @staticmethod
    def from_pretrained(folder: str | Path) -> Config:
        """Read `config.json` of a checkpoint folder.

        Raises
        ------
        CheckpointError
            If there is none, it cannot be read, or its `model_type` is not supported: which are, it lists.
        ConfigError
            If a value in it cannot work.
        """
        return family_of_folder(folder).config.from_pretrained(folder)

    @staticmethod
    def for_model(model_type: str, **values: Any) -> Config:
        """Return a configuration of that kind, for example of "bert". Raises `ConfigError`."""
        return family_named(model_type).config(**values)


class _AutoModel:
    """A row of classes, one for each kind of model that can do the task."""

    classes: ClassVar[dict[str, type[Model]]]  # model_type -> class

    @classmethod
    def from_pretrained(cls, folder: str | Path, **options: Any) -> Any:
        """Open a checkpoint folder as the class that fits its `model_type`.

        Parameters
        ----------
        folder : str or Path
        **options
            Of `from_pretrained` of that class: `dtype`, `output_loading_info`; for a task `num_labels` and the like.

        Raises
        ------
        CheckpointError
            If the folder holds no checkpoint, or one of a kind that is not supported: which are, it lists.
        """
        family = family_of_folder(folder)
        if family.name not in cls.classes:
            raise CheckpointError(f"{folder}: {cls._refusal(family.name)}")
        return cls.classes[family.name].from_pretrained(folder, **options)

    @classmethod
    def from_config(cls, config: Config, **options: Any) -> Model:
        """Return a new model with random parameters; `options` are `seed` and `dtype`. Raises `ConfigError`."""
        if not isinstance(config, Config):
            raise ConfigError(f"from_config takes a configuration, for example a BertConfig, not {type(config)}")
        if config.model_type not in cls.classes:
            raise ConfigError(cls._refusal(config.model_type))
        return cls.classes[config.model_type](config, **options)

    @classmethod
    def _refusal(cls, name: str) -> str:
        return f"{cls.__name__} has no class for the model_type {name!r}; supported are {', '.join(cls.classes)}"


def _learning(objective: str) -> dict[str, type[Model]]:
    return {name: family.heads[objective] for name, family in FAMILIES.items() if objective in family.heads}


class AutoModel(_AutoModel):
    """The model without a head: `BertModel`, `GPT2Model`, ..."""

    classes = BODIES


class AutoModelForPreTraining(_AutoModel):
    """The model with all heads that it is pre-trained with: `BertForPreTraining`, `GPT2LMHeadModel`, ..."""

    classes = {name: next(iter(family.heads.values())) for name, family in FAMILIES.items()}  # noqa: RUF012


class AutoModelForMaskedLM(_AutoModel):
    """The model that guesses masked tokens: `BertForMaskedLM`, `RobertaForMaskedLM`."""

    classes = _learning("mlm")


class AutoModelForCausalLM(_AutoModel):
    """The model that writes: `GPT2LMHeadModel`, `OpenAIGPTLMHeadModel`."""

    classes = _learning("clm")


class AutoModelForSequenceClassification(_AutoModel):
    """The model that decides about a whole text: `BertForSequenceClassification`, ..."""

    classes = TASKS["sequence-classification"]


class AutoModelForTokenClassification(_AutoModel):
    """The model that labels each token: `BertForTokenClassification`, ..."""

    classes = TASKS["token-classification"]


class AutoModelForQuestionAnswering(_AutoModel):
    """The model that finds an answer in a text: `BertForQuestionAnswering`, ..."""

    classes = TASKS["question-answering"]


class AutoModelForMultipleChoice(_AutoModel):
    """The model that chooses between texts: `BertForMultipleChoice`, ..."""

    classes = TASKS["multiple-choice"]
