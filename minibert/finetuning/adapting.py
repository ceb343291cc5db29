"""From the name of a method to a model in which that trains."""

from __future__ import annotations

from minibert.errors import ConfigError
from minibert.finetuning.arguments import FEATURES, LORA, PROMPT, FinetuneArguments
from minibert.finetuning.features import remember_features
from minibert.finetuning.methods import adapt
from minibert.finetuning.opening import Start, lasting_name
from minibert.finetuning.peft_config import LoraConfig, PeftConfig, PromptTuningConfig
from minibert.finetuning.peft_model import get_peft_model
from minibert.finetuning.tasks import Task
from minibert.models.base import Model
from minibert.models.config import Config

OF_A_BODY = ("full", "feed-forward", "bias", LORA)  # what trains a body that is used without a head


def adapted(start: Start, task: Task, source: str, args: FinetuneArguments) -> Model:
    """Return the model of `start` so that what `args.method` names trains, and nothing else.

    Raises
    ------
    ConfigError
        The method does not suit the model, or a setting of an adapter cannot be.
    """
    if not task.has_head and args.method not in OF_A_BODY:
        raise ConfigError(
            f"{task.name} have no head, so --method {args.method} trains nothing: {', '.join(OF_A_BODY)} do"
        )
    if args.dropout >= 0:
        set_dropout(start.model.config, args.dropout)
    if args.method == FEATURES:
        return remember_features(start.model)
    if args.method in (LORA, PROMPT):
        model = get_peft_model(start.model, peft_config(start, task, source, args), args.seed, start.tokenizer)
        return model if task.has_head else start.model  # which has the adapter in its parameters
    return adapt(start.model, args.method)


def set_dropout(config: Config, rate: float) -> None:
    """Set every rate of dropout of a model: of hidden states, attention probabilities, embeddings, and its head."""
    for name in vars(config):
        if name.endswith(("dropout_prob", "pdrop")):
            setattr(config, name, rate)
    if hasattr(config, "classifier_dropout"):
        config.classifier_dropout = None  # that of hidden states


def peft_config(start: Start, task: Task, source: str, args: FinetuneArguments) -> PeftConfig:
    """Return the adapter's configuration. What stands between the body and the scores trains whole: BERT's pooler."""
    whole = ["pooler"] if "pooler" in start.model.params and task.has_head else []
    if task.peft_type is None:
        whole.append("classifier")
    common = {
        "task_type": task.peft_type,
        "modules_to_save": whole or None,
        "base_model_name_or_path": lasting_name(source),
    }
    if args.method == LORA:
        targets = args.target_modules or None
        return LoraConfig(
            r=args.lora_r,
            lora_alpha=args.lora_alpha,
            lora_dropout=args.lora_dropout,
            target_modules=targets,
            **common,
        )
    return PromptTuningConfig(
        num_virtual_tokens=args.num_virtual_tokens,
        prompt_tuning_init="TEXT" if args.prompt_text else "RANDOM",
        prompt_tuning_init_text=args.prompt_text or None,
        tokenizer_name_or_path=lasting_name(source) if args.prompt_text else None,
        **common,
    )
