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


def _each(names: str, *values: Any) -> dict[str, tuple]:
    return dict.fromkeys(names.split(), values)


# Hugging Face's arguments about what is not here, with the values that ask for nothing: its defaults, and some more.
NOT_HERE: dict[str, tuple] = {
    **_each(
        "accelerator_config activation_checkpointing_kwargs dataloader_multiprocessing_context "
        "dataloader_prefetch_factor ddp_backend ddp_broadcast_buffers ddp_bucket_cap_mb ddp_find_unused_parameters "
        "ddp_static_graph deepspeed eval_accumulation_steps fsdp_config gradient_checkpointing_kwargs hub_model_id "
        "hub_private_repo hub_revision hub_token liger_kernel_config lr_scheduler_kwargs neftune_noise_alpha "
        "optim_args optim_target_modules parallelism_config resume_from_checkpoint run_name tf32 torch_compile_backend "
        "torch_compile_mode torch_empty_cache_steps trackio_bucket_id trackio_space_id trackio_static_space_id",
        None,
    ),
    **_each(
        "auto_find_batch_size batch_eval_metrics bf16 bf16_full_eval dataloader_persistent_workers "
        "enable_jit_checkpoint eval_use_gather_object fp16 fp16_full_eval full_determinism hub_always_push "
        "ignore_data_skip logging_first_step prediction_loss_only push_to_hub restore_callback_states_from_checkpoint "
        "save_on_each_node save_only_model torch_compile use_cache use_liger_kernel",
        False,
    ),
    # What no other value would change here; `do_train` and its like are read by scripts alone.
    **_each(
        "average_tokens_across_devices dataloader_in_order dataloader_pin_memory do_eval do_predict do_train "
        "eval_do_concat_batches log_on_each_node logging_nan_inf_filter skip_memory_metrics use_cpu",
        *(True, False),
    ),
    "activation_checkpointing": (None, False),
    "dataloader_num_workers": (0,),
    "ddp_timeout": (1800,),
    "debug": ("", []),
    "eval_delay": (0,),
    "fsdp": (None, "", False, []),
    "gradient_checkpointing": (None, False),
    "hub_strategy": ("every_save",),
    "include_for_metrics": ([],),
    "include_num_input_tokens_seen": ("no", False),
    "length_column_name": ("length",),
    "local_rank": (-1,),
    "log_level": ("passive",),
    "log_level_replica": ("warning",),
    "optim": ("adamw_torch", "adamw_torch_fused"),
    "project": ("huggingface",),
    "report_to": ("none", ["none"], [], None),
}


LOGS = "the log is log.jsonl in output_dir, and a TrainerCallback's on_log is told each line"
INSTEAD = {  # beginning of a name -> what there is instead
    "report_to": LOGS, "run_name": LOGS, "project": LOGS, "trackio": LOGS,
    "hub": "nothing is uploaded", "push_to_hub": "nothing is uploaded",
    "optim": "the optimizer is AdamW", "neftune": "no noise is added",
}  # fmt: skip


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
        instead = next((text for start, text in INSTEAD.items() if name.startswith(start)), "it computes on a CPU")
        return f"{owner}: {name}={value!r} is not possible with minibert: {instead}; leave it out"
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"{owner} has no {name}" + (f"; did you mean {' or '.join(close)}?" if close else "")
