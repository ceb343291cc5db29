"""Draw the learning curves of one or several runs.

For example: minibert plot runs/bert-tiny-python-docs runs/bert-mini-python-docs --output both.png
"""

from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser


def add_arguments(parser: ArgumentParser) -> None:
    """Add the runs and the picture."""
    parser.add_argument("runs", nargs="+", type=str, help="run folders")
    parser.add_argument("--output", type=str, default="loss.png", help="the picture to write: .png, .svg or .pdf")


def run(args: dict[str, Any]) -> None:
    """Draw and say where the picture is."""
    from minibert.view.curves import plot_runs

    plot_runs([Path(folder) for folder in args["runs"]], Path(args["output"]))
    print(args["output"])
