"""Choose between fine-tuned models: how good, how large and how fast each one is.

minibert compare reviews-full reviews-lora --baseline tf-idf --data movie-reviews --picture choice.png
All are measured on the same rows, none of which they have learned from; where one is worse than the best, a paired
bootstrap says whether that may be chance. * marks the Pareto front of quality against the latency of one text.
"""

import json
import sys
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from minibert import dispatch
from minibert.cli.backend import add_backend, compile_ahead
from minibert.cli.evaluate import add_data
from minibert.cli.task_report import truncation
from minibert.errors import ConfigError


def add_arguments(parser: ArgumentParser) -> None:
    """Add the models, the data and what to write."""
    parser.add_argument("models", nargs="+", type=str, help="folders of fine-tuned models and adapters")
    parser.add_argument("--baseline", type=str, default="", help="tf-idf: words counted, and logistic regression")
    add_data(parser)
    parser.add_argument("--train_split", type=str, default="train", help="what the baseline learns from")
    parser.add_argument("--picture", type=str, default="", help="draw quality against latency: .png, .svg or .pdf")
    parser.add_argument("--json", type=str, default="", help="write everything to this file; - standard output")
    parser.add_argument("--batch_size", type=int, default=32, help="texts at a time")
    add_backend(parser)


def run(args: dict[str, Any]) -> None:
    """Measure, print, draw."""
    check(args)
    from minibert.comparison.candidates import baseline_candidate, model_candidate
    from minibert.comparison.report import compare
    from minibert.comparison.rows import common_task, rows_to_compare
    from minibert.finetuning.scoring import task_on
    from minibert.finetuning.task_data import Source, check_enough, without_empty
    from minibert.finetuning.tasks import Columns

    with dispatch.backend(args["backend"]):
        candidates = [model_candidate(model, args["batch_size"]) for model in args["models"]]
        common_task(candidates)
        columns = Columns(args["text_column"], args["text_pair_column"], args["label_column"])
        task = task_on(candidates[0].settings, columns)
        source, names = Source.of(args["data"], args["data_part"], 0.2, 0), candidates[0].names
        learned = bool(args["baseline"])
        parts = rows_to_compare(candidates, task, source, args["split"], args["train_split"], learned)
        if args["skip_empty"]:
            train, heldout = (without_empty(part, task)[0] for part in (parts.train, parts.heldout))
            parts = parts._replace(train=train, heldout=heldout)
        check_enough(parts.heldout, parts.about)
        if learned:
            say(f"{args['baseline']}: learning from {len(parts.train):,} texts")
            candidates.append(baseline_candidate(args["baseline"], task, parts.train, names))
        compile_ahead(args["backend"], "float32")
        report = compare(candidates, task, parts.heldout, args["backend"], args["batch_size"], say)
    metric = task.metrics(names)[0].name
    tell(args, report, metric, {"task": task.name, "rows": parts.about, "examples": len(parts.heldout)})


def say(text: str) -> None:
    """Tell what is being done, which may take minutes."""
    print(text, file=sys.stderr, flush=True)


def check(args: dict[str, Any]) -> None:
    """Refuse what cannot work before a model is opened."""
    from minibert.view.tradeoff import check_picture

    if not args["data"]:
        raise ConfigError("--data is missing: a data set, a file or a folder to measure on")
    if args["batch_size"] < 1:
        raise ConfigError(f"--batch_size must be at least 1, but is {args['batch_size']}")
    twice = [model for i, model in enumerate(args["models"]) if model in args["models"][:i]]
    if twice:
        raise ConfigError(f"{twice[0]} is named twice: compare different models")
    if args["picture"]:
        check_picture(Path(args["picture"]))
    if args["json"] not in ("", "-") and not Path(args["json"]).resolve().parent.is_dir():
        raise ConfigError(f"--json {args['json']}: there is no such folder")


def tell(args: dict[str, Any], report: list[dict[str, Any]], metric: str, about: dict[str, Any]) -> None:
    """Print the table, or write it as JSON, and draw the picture."""
    from minibert.bench.machine import describe
    from minibert.comparison.table import table, verdicts
    from minibert.files import finite, write_json
    from minibert.view.tradeoff import plot_tradeoff

    whole = finite({"data": args["data"], **about, "metric": metric, "machine": describe(), "candidates": report})
    if args["json"] == "-":
        print(json.dumps(whole, indent=2))
    else:
        print(f"{args['data']}, {about['rows']}: {about['examples']:,} examples\n\n{table(report, metric)}\n")
        print("\n".join(verdicts(report, metric)))
    if args["json"] not in ("", "-"):
        write_json(Path(args["json"]), whole)
    for row in report:
        for note in truncation(row["truncated"], about["examples"], row["max_length"]):
            print(f"{note} ({row['name']})", file=sys.stderr)
    if args["picture"]:
        title = f"{Path(args['data']).name}: {about['examples']:,} examples"
        plot_tradeoff(report, metric, title, Path(args["picture"]))
        print(args["picture"], file=sys.stderr)
