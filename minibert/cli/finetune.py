"""Adapt a pre-trained model to a task, with labelled examples.

The model is a folder of `minibert pretrain`, a checkpoint, or the name of a released model:
minibert finetune all-minilm-l6-v2 --data movie-reviews --method lora --output_dir reviews
What comes out is measured on rows that it has not seen, each metric with its 95 % bootstrap interval, and opened by
`minibert predict`, `evaluate` and `compare`.
"""

from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from minibert import dispatch
from minibert.allocator import keep_freed_memory
from minibert.cli.backend import blas_limits, compile_ahead
from minibert.cli.options import add_fields
from minibert.cli.task_report import finetuned, prepared_for
from minibert.finetuning.arguments import GROUPS, FinetuneArguments


def add_arguments(parser: ArgumentParser) -> None:
    """Add the model and every option of `FinetuneArguments`."""
    parser.add_argument("--config", action="config", help="read options from a YAML file; --print_config writes one")
    parser.add_argument("model", type=str, help="a folder, or all-minilm-l6-v2")
    add_fields(parser, FinetuneArguments.options(), GROUPS)


def run(arguments: dict[str, Any]) -> None:
    """Train, measure, save, and say what came out."""
    from minibert.finetuning import finetune
    from minibert.finetuning.whole_folder import whole_folder
    from minibert.training.run_folder import choose_folder

    arguments.pop("config", None)
    model = arguments.pop("model")
    args = FinetuneArguments(**arguments)
    folder = choose_folder(args.output_dir, args.overwrite, f"{Path(model).name}-{Path(args.data).name.split('.')[0]}")
    with dispatch.backend(args.backend):
        prepared = finetune.prepare(model, args)
        print(prepared_for(prepared, args), flush=True)
        keep_freed_memory()
        compile_ahead(args.backend, "float32")
        with whole_folder(folder) as temporary, blas_limits(prepared.start.model):
            result = finetune.run(prepared, args, temporary)
    print(finetuned(result, prepared, folder))
