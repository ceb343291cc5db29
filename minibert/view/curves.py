"""Learning curves of one or several runs."""

from pathlib import Path
from typing import Any

from minibert.errors import CheckpointError, DataError
from minibert.files import write_whole
from minibert.training.log import LOG, main_part, read_log

TITLES = {"mlm": "masked-token loss", "clm": "next-token loss"}


def plot_runs(folders: list[Path], picture: Path) -> None:
    """Draw the loss by token of each run against its steps, with the unigram loss to beat.

    Parameters
    ----------
    folders : list of Path
        Run folders.
    picture : Path
        What to write: .png, .svg or .pdf.

    Raises
    ------
    CheckpointError
        If a folder has no log with evaluations in it.
    DataError
        If the picture's format is unknown.
    """
    if picture.suffix not in (".png", ".svg", ".pdf"):
        raise DataError(f"{picture}: the picture must be a .png, .svg or .pdf file")
    logs = {folder: read_curves(folder) for folder in folders}

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for i, (folder, log) in enumerate(logs.items()):
        _draw_run(axes, f"C{i}", folder.name, *log)
    axes.set_xlabel("step")
    axes.set_ylabel(" or ".join(TITLES[name] for name in sorted({name for _, _, name in logs.values()})) + " (nats)")
    axes.set_title("Pre-training" if len(logs) > 1 else f"Pre-training: {next(iter(logs)).name}")
    axes.grid(alpha=0.3)
    axes.legend()
    picture.parent.mkdir(parents=True, exist_ok=True)
    write_whole(picture, lambda path: figure.savefig(path, dpi=120, format=picture.suffix[1:]))


def _draw_run(axes: Any, colour: str, name: str, steps: list[dict], evaluations: list[dict], part: str) -> None:
    """Line styles, not colours alone, tell what is what, so that the picture reads in greyscale."""
    axes.plot(
        [r["step"] for r in steps],
        [r[f"{part}_loss"] for r in steps],
        colour,
        alpha=0.35,
        lw=0.8,
        label=f"{name}: training",
    )
    losses = [r[f"eval_{part}_loss"] for r in evaluations]
    axes.plot([r["step"] for r in evaluations], losses, colour, marker="o", ms=3, label=f"{name}: held out")
    axes.annotate(
        f"{losses[-1]:.2f}", (evaluations[-1]["step"], losses[-1]), (-2, 6), textcoords="offset points", ha="right"
    )
    for baseline, style in (("unigram", "--"), ("bigram", ":")):
        level = evaluations[-1].get(f"eval_{baseline}_loss")
        if level is not None:
            axes.axhline(level, color=colour, ls=style, lw=1, label=f"{name}: {baseline}, {level:.2f}")


def read_curves(folder: Path) -> tuple[list[dict], list[dict], str]:
    """Return the lines of a run's log about training, those about evaluations, and the name of the loss by token.

    Raises
    ------
    CheckpointError
        If the folder has no log with evaluations in it.
    """
    if not (folder / LOG).is_file():
        raise CheckpointError(f"{folder}: not a run folder, it has no {LOG}")
    records = read_log(folder)
    evaluations = [r for r in records if main_part(r, "eval_")]
    if not evaluations:
        raise CheckpointError(f"{folder}: {LOG} holds no evaluation yet")
    part = main_part(evaluations[-1], "eval_")
    return [r for r in records if f"{part}_loss" in r], evaluations, part
