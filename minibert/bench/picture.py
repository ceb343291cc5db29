"""The report of the bench as a picture: how many times as fast as others the kernels are."""

from pathlib import Path
from typing import Any

from minibert.errors import DataError
from minibert.files import write_whole

SIDES = {"torch": ("PyTorch", "C0", ""), "numpy": ("NumPy", "C1", "//"), "huggingface": ("Hugging Face", "C2", "..")}
BAR = 0.38  # of the height of a row


def draw(report: dict[str, Any], picture: Path) -> None:
    """Draw a bar for each op and each training step, against PyTorch and against NumPy or Hugging Face.

    Parameters
    ----------
    report : dict
        What `--json` writes.
    picture : Path
        What to write: .png, .svg or .pdf.

    Raises
    ------
    DataError
        If the picture's format is unknown, or nothing was compared.
    """
    if picture.suffix not in (".png", ".svg", ".pdf"):
        raise DataError(f"{picture}: the picture must be a .png, .svg or .pdf file")
    bars = [*_op_bars(report["rows"]), *_step_bars(report["rows"])]
    if not bars:
        raise DataError("nothing was compared, so there is nothing to draw: see --ops and --models")

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1 + 0.42 * len(bars)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for y, (_, times) in enumerate(bars):
        for offset, (side, value) in zip((-BAR / 2, BAR / 2), times.items(), strict=False):
            title, colour, hatch = SIDES[side]
            axes.barh(y + offset, value, BAR, color=colour, hatch=hatch, edgecolor="white", label=title)
            axes.text(value * 1.03, y + offset, f"{value:.2f}", va="center", fontsize=8)
    axes.axvline(1, color="black", lw=1)
    axes.set_xscale("log")
    axes.set_xticks([0.5, 1, 2, 5, 10], ["0.5", "1", "2", "5", "10"])
    axes.set_yticks(range(len(bars)), [name for name, _ in bars])
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("times as fast as (forward and backward; right of the line, the kernels are faster)")
    axes.set_title(f"minibert's kernels on {report['machine']['cpu']}, {report['machine']['cores']} cores")
    labels = dict(reversed(list(zip(*reversed(axes.get_legend_handles_labels()), strict=True))))
    axes.legend(labels.values(), labels.keys(), loc="best")
    write_whole(picture, lambda path: figure.savefig(path, dpi=120, format=picture.suffix[1:]))


def _op_bars(rows: list[dict]) -> list[tuple[str, dict[str, float]]]:
    """(name, times as fast by side) of each op; of the matrix products only their mean."""
    bars = []
    for row in rows:
        times = {side: row[f"times_{side}"] for side in ("torch", "numpy") if row.get(f"times_{side}")}
        single = row["name"].startswith("matmul ") or row["name"].endswith("slowest")
        if row["section"] == "ops" and times and not single:
            bars.append((row["name"], times))
    return bars


def _step_bars(rows: list[dict]) -> list[tuple[str, dict[str, float]]]:
    """The same of each training step, whose sides are rows of their own."""
    bars: dict[str, dict[str, float]] = {}
    titles = {title: side for side, (title, _, _) in SIDES.items()}
    for row in rows:
        if row["section"] == "steps" and row.get("times"):
            name, _, title = row["name"].rpartition(": ")
            side = titles.get(title)
            if side in ("torch", "huggingface"):
                bars.setdefault(f"step of {name}", {})[side] = row["times"]
    return list(bars.items())
