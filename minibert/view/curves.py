"""Learning curves of one or several runs."""

from pathlib import Path
from typing import Any

from minibert.errors import CheckpointError, DataError
from minibert.files import write_whole
from minibert.training.log import LOG, read_log


def plot_runs(folders: list[Path], picture: Path) -> None:
    """Draw the masked-token loss of each run against its steps, with the unigram loss to beat.

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
    logs = {folder: _evaluations(folder) for folder in folders}

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for i, (folder, (steps, evaluations)) in enumerate(logs.items()):
        _draw_run(axes, f"C{i}", folder.name, steps, evaluations)
    axes.set_xlabel("step")
    axes.set_ylabel("masked-token loss (nats)")
    axes.set_title("Pre-training" if len(logs) > 1 else f"Pre-training: {next(iter(logs)).name}")
    axes.grid(alpha=0.3)
    axes.legend()
    picture.parent.mkdir(parents=True, exist_ok=True)
    write_whole(picture, lambda path: figure.savefig(path, dpi=120, format=picture.suffix[1:]))


def _draw_run(axes: Any, colour: str, name: str, steps: list[dict], evaluations: list[dict]) -> None:
    """Line styles, not colours alone, tell what is what, so that the picture reads in greyscale."""
    axes.plot(
        [r["step"] for r in steps],
        [r["mlm_loss"] for r in steps],
        colour,
        alpha=0.35,
        lw=0.8,
        label=f"{name}: training",
    )
    losses = [r["eval_mlm_loss"] for r in evaluations]
    axes.plot([r["step"] for r in evaluations], losses, colour, marker="o", ms=3, label=f"{name}: held out")
    axes.annotate(
        f"{losses[-1]:.2f}", (evaluations[-1]["step"], losses[-1]), (-2, 6), textcoords="offset points", ha="right"
    )
    level = evaluations[-1]["eval_unigram_loss"]
    axes.axhline(level, color=colour, ls="--", lw=1, label=f"{name}: unigram, {level:.2f}")


def _evaluations(folder: Path) -> tuple[list[dict], list[dict]]:
    if not (folder / LOG).is_file():
        raise CheckpointError(f"{folder}: not a run folder, it has no {LOG}")
    records = read_log(folder)
    evaluations = [r for r in records if "eval_mlm_loss" in r]
    if not evaluations:
        raise CheckpointError(f"{folder}: {LOG} holds no evaluation yet")
    return [r for r in records if "mlm_loss" in r], evaluations
