"""`minibert.pipeline(task, model=folder)`: a trained model as a function of text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from minibert.errors import ConfigError
from minibert.models.base import Model, check_vocabulary
from minibert.pipelines.feature_extraction import FeatureExtraction
from minibert.pipelines.fill_mask import FillMask
from minibert.pipelines.text_classification import TextClassification
from minibert.pipelines.text_generation import TextGeneration
from minibert.tokenizers import AutoTokenizer

if TYPE_CHECKING:
    from minibert.tokenizers.base import PretrainedTokenizer

Pipeline = FillMask | TextGeneration | TextClassification | FeatureExtraction
TASKS: dict[str, type[Pipeline]] = {
    "fill-mask": FillMask,
    "text-generation": TextGeneration,
    "text-classification": TextClassification,
    "sentiment-analysis": TextClassification,
    "feature-extraction": FeatureExtraction,
}
CLASSES = {  # how the name of a model's class ends that can do it
    FillMask: ("ForMaskedLM", "ForPreTraining"),
    TextGeneration: ("LMHeadModel",),
    TextClassification: ("ForSequenceClassification",),
    FeatureExtraction: ("BertModel", "RobertaModel", "GPT2Model", "OpenAIGPTModel"),
}


def pipeline(
    task: str, model: str | Path | Model | None = None, tokenizer: str | Path | PretrainedTokenizer | None = None
) -> Pipeline:
    """Return a function that does a task: what it returns has the structure that users of Hugging Face know.

    Parameters
    ----------
    task : {"fill-mask", "text-generation", "text-classification" or "sentiment-analysis", "feature-extraction"}
    model : str, Path or Model
        A run or checkpoint folder with its tokenizer, or a model that is open already.
        "text-classification" takes an adapter too, "feature-extraction" knows "all-minilm-l6-v2" by name.
    tokenizer : str, Path or PretrainedTokenizer, optional
        Of a model that is open, or instead of the one in the folder.

    Raises
    ------
    ConfigError
        If there is no such task, no model or no tokenizer is given, or the model cannot do the task.
    CheckpointError
        If the folder holds no model that can do it.
    DataError
        If the tokenizer cannot be read, or has ids that the model does not have.
    """
    if task not in TASKS:
        raise ConfigError(f"no task named {task!r}: choose one of {', '.join(TASKS)}")
    kind = TASKS[task]
    if model is None:
        raise ConfigError(f"{task} needs a model: pass model=, a folder, or a model with its tokenizer")
    if isinstance(model, str | Path):
        opened = kind.from_pretrained(model)
        if tokenizer is None:
            return opened
        model = opened.model
    _check_class(task, model)
    if tokenizer is None:
        raise ConfigError(f"{task} needs the model's tokenizer too: pass tokenizer=, or the folder of both as model=")
    if isinstance(tokenizer, str | Path):
        tokenizer = AutoTokenizer.from_pretrained(tokenizer)
    made = kind(model, tokenizer)
    check_vocabulary(made.tokenizer, model.config)
    return made


def _check_class(task: str, model: object) -> None:
    """Refuse a model without the head of the task; an adapter is asked for what it adapts."""
    name, able = type(getattr(model, "base_model", model)).__name__, CLASSES[TASKS[task]]
    if not name.endswith(able):
        raise ConfigError(f"{task} takes a model whose class is called ...{' or ...'.join(able)}, not {name}")
