"""Accuracy against labels as a picture: a panel for each method, a line for each start."""

from pathlib import Path
from typing import Any

from minibert.errors import DataError
from minibert.files import write_whole
from minibert.study.cells import BASELINE, LABELS, METHODS, STARTS, Cell
from minibert.study.table import Cells

STYLES = {"scratch": ("C0", ":", "o"), "pretrained": ("C1", "-", "s"), "minilm": ("C2", "--", "^")}


def draw(cells: Cells, picture: Path) -> None:
    """Draw the cells that are there, with their intervals, and the baseline in each panel.

    Parameters
    ----------
    cells : dict
        Of `read_cells`.
    picture : Path
        What to write: .png, .svg or .pdf.

    Raises
    ------
    DataError
        If the picture's format is unknown, or no cell is there.
    """
    if picture.suffix not in (".png", ".svg", ".pdf"):
        raise DataError(f"{picture}: the picture must be a .png, .svg or .pdf file")
    if not cells:
        raise DataError("no cell is finished yet, so there is nothing to draw")

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(METHODS), sharey=True)
    for axes, (method, title) in zip(panels, METHODS.items(), strict=True):
        for start, style in STYLES.items():
            _line(axes, [cells.get(Cell(start, method, n).name) for n in LABELS], STARTS[start], *style)
        _line(axes, [cells.get(Cell(*BASELINE, n).name) for n in LABELS], "TF-IDF", "0.5", "-.", "x")
        axes.set_title(title)
        axes.set_xscale("log")
        axes.set_xlabel("labels")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("test accuracy (%)")
    panels[0].legend(fontsize=8)
    picture.parent.mkdir(parents=True, exist_ok=True)
    write_whole(picture, lambda path: figure.savefig(path, dpi=120, format=picture.suffix[1:]))


def _line(axes: Any, found: list[dict | None], name: str, colour: str, style: str, marker: str) -> None:
    there = [cell for cell in found if cell is not None]
    values, low, high = ([100 * cell[key] for cell in there] for key in ("accuracy", "low", "high"))
    ends = [[v - l for v, l in zip(values, low, strict=True)], [h - v for v, h in zip(values, high, strict=True)]]
    x = [cell["train_reviews"] for cell in there]
    axes.errorbar(x, values, ends, color=colour, ls=style, marker=marker, ms=4, lw=1.2, capsize=2, label=name)
