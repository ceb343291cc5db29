"""Measure a fine-tuned model, or the perplexity of a language model.

Of data without splits that the model was fine-tuned on, the rows count that were held out then. For example:
minibert evaluate reviews --data movie-reviews
minibert evaluate runs/gpt2-nano-shakespeare --data text.txt
"""

import json
import sys
from typing import Any

from jsonargparse import ArgumentParser

from minibert import dispatch
from minibert.cli.backend import add_backend
from minibert.cli.task_report import metric_lines, truncation
from minibert.errors import ConfigError
from minibert.evaluation.bootstrap import Interval
from minibert.files import finite


def add_data(parser: ArgumentParser) -> None:
    """Add the options that say which rows to measure on."""
    parser.add_argument("--data", type=str, default="", help="a named data set, a file or folder of labelled data")
    parser.add_argument("--data_part", type=str, default="", help="part of a named data set, such as rotten-tomatoes")
    parser.add_argument("--split", type=str, default="", help="for example test[:500] (default: test, or validation)")
    parser.add_argument("--text_column", type=str, default="", help="default: as the model was trained")
    parser.add_argument("--text_pair_column", type=str, default="", help="default: as the model was trained")
    parser.add_argument("--label_column", type=str, default="", help="default: as the model was trained")
    parser.add_argument("--skip_empty", action="store_true", help="leave out rows with an empty text")


def add_arguments(parser: ArgumentParser) -> None:
    """Add the model and what to measure it on."""
    parser.add_argument("model", type=str, help="a fine-tuned model or adapter; or a run of pretrain, for perplexity")
    add_data(parser)
    parser.add_argument("--base", type=str, default="", help="the model of an adapter, if it was moved")
    parser.add_argument("--batch_size", type=int, default=32, help="rows at a time")
    parser.add_argument("--max_texts", type=int, default=200, help="perplexity: pieces of text at most (0: all)")
    parser.add_argument("--max_length", type=int, default=0, help="perplexity: tokens of a piece (0: up to 128)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_backend(parser)


def run(args: dict[str, Any]) -> None:
    """Measure and print."""
    from minibert.data.released_models import model_folder
    from minibert.finetuning.opening import is_task_folder

    if not args["data"]:
        raise ConfigError("--data is missing: a data set, a file or a folder to measure on")
    for name in ("batch_size", "max_texts", "max_length"):
        if args[name] < (name == "batch_size"):
            raise ConfigError(f"--{name} is {args[name]}, which is too small")
    with dispatch.backend(args["backend"]):
        if is_task_folder(model_folder(args["model"])):
            record, metrics, notes = of_task(args)
        else:
            record, metrics, notes = of_language_model(args)
    for note in notes:
        print(note, file=sys.stderr)
    if args["json"]:
        values = {name: interval._asdict() for name, interval in metrics.items()}
        print(json.dumps(finite({"model": args["model"], "data": args["data"], **record, "metrics": values})))
    else:
        print(", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in record.items()))
        print("\n".join(metric_lines(metrics)))


def of_task(args: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Interval], list[str]]:
    """Return what was measured on what, the metrics of the task, and what is to be noted."""
    from minibert.finetuning.opening import open_trained
    from minibert.finetuning.scoring import rows_for, score, task_on
    from minibert.finetuning.task_data import Source
    from minibert.finetuning.tasks import Columns

    predictor, settings = open_trained(args["model"], args["base"])
    columns = Columns(args["text_column"], args["text_pair_column"], args["label_column"])
    task = task_on(settings, columns)
    source = Source.of(args["data"], args["data_part"], 0.2, 0)
    examples = rows_for(settings, task, source, args["split"], args["skip_empty"])
    predictor = predictor._replace(task=task)
    scored = score(predictor, examples, args["batch_size"], sys.stderr.isatty())
    notes = truncation(scored.truncated, len(examples.inputs), predictor.max_length)
    if examples.skipped:
        notes.append(f"note: {examples.skipped:,} rows with an empty text are left out")
    record = {"task": task.name, "rows": examples.about, "examples": len(examples.inputs)}
    return record | {"truncated": scored.truncated}, scored.metrics, notes


def of_language_model(args: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Interval], list[str]]:
    """Return the same of perplexity."""
    from minibert.data.corpora import resolve
    from minibert.data.released_models import model_folder
    from minibert.evaluation.language_model import chunks, language_model_metrics
    from minibert.models.families import family_of_folder
    from minibert.pipelines.opening import open_both

    folder = model_folder(args["model"])
    objective = "clm" if "clm" in family_of_folder(folder).heads else "mlm"
    model, tokenizer = open_both(folder, objective)
    if args["max_length"] > model.config.max_length:
        raise ConfigError(
            f"--max_length is {args['max_length']}, but the model has {model.config.max_length} positions"
        )
    length = args["max_length"] or min(128, model.config.max_length)
    texts = chunks(tokenizer, resolve(args["data"]), length, args["max_texts"])
    measured = language_model_metrics(model, tokenizer, texts)
    return (
        {"texts": measured.texts, "tokens": measured.tokens, "tokens_of_a_text_at_most": length},
        measured.metrics,
        [],
    )
