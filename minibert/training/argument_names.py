"""What people write to `TrainingArguments` that is not one of its fields, and what they are told."""

import difflib
from collections.abc import Iterable
from typing import Any

from minibert.errors import ConfigError

RENAMED = {  # names of earlier years -> today's
    "adam_eps": "adam_epsilon",
    "evaluate_during_training": "eval_strategy",
    "evaluation_strategy": "eval_strategy",
    "group_by_length": 'train_sampling_strategy="group_by_length"',
    "label_smoothing": "label_smoothing_factor",
    "num_epochs": "num_train_epochs",
    "no_cuda": "use_cpu",
    "per_gpu_eval_batch_size": "per_device_eval_batch_size",
    "per_gpu_train_batch_size": "per_device_train_batch_size",
    "schedule_type": "lr_scheduler_type",
    "tokenizer": "processing_class",
    "use_mps_device": "use_cpu",
    "warmup_ratio": "warmup_steps, which is a share of the steps if it is less than 1",
}
REMOVED = {
    "logging_dir": "the log is log.jsonl in output_dir",
    "overwrite_output_dir": "checkpoints of earlier runs in output_dir are kept until one of their step is saved",
    "save_safetensors": "weights are always saved as safetensors",
}
# Hugging Face's arguments about what is not here, with the values that say so.
NOT_HERE: dict[str, tuple] = {
    "activation_checkpointing": (None, False),
    "auto_find_batch_size": (False,),
    "bf16": (False,),
    "bf16_full_eval": (False,),
    "dataloader_num_workers": (0,),
    "dataloader_pin_memory": (True, False),
    "deepspeed": (None,),
    "fp16": (False,),
    "fp16_full_eval": (False,),
    "fsdp": (None, "", False),
    "gradient_checkpointing": (None, False),
    "hub_model_id": (None,),
    "log_level": ("passive",),
    "optim": ("adamw_torch", "adamw_torch_fused"),
    "push_to_hub": (False,),
    "report_to": ("none", ["none"], [], None),
    "run_name": (None,),
    "torch_compile": (False,),
    "use_cpu": (True, False),
}


def known_arguments(given: dict[str, Any], names: Iterable[str], owner: str) -> dict[str, Any]:
    """Return the arguments that `owner` has, without those that ask for nothing (`report_to="none"`).

    Raises
    ------
    ConfigError
        If one was renamed (it says how), removed, is about something that is not here, or is unknown.
    """
    names, known = set(names), {}
    for name, value in given.items():
        if name in names:
            known[name] = value
        elif name not in NOT_HERE or value not in NOT_HERE[name]:
            raise ConfigError(_explanation(name, value, names, owner))
    return known


def _explanation(name: str, value: Any, names: set[str], owner: str) -> str:
    if name in RENAMED:
        return f"{owner}: {name} is now called {RENAMED[name]}"
    if name in REMOVED:
        return f"{owner}: {name} is gone: {REMOVED[name]}; leave it out"
    if name in NOT_HERE:
        return f"{owner}: {name}={value!r} is not possible with minibert, which computes on a CPU: leave it out"
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"{owner} has no {name}" + (f"; did you mean {' or '.join(close)}?" if close else "")
