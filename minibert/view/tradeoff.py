"""How good against how slow: the candidates of a comparison, and the front that nothing beats on both counts."""

from pathlib import Path
from typing import Any

from minibert.errors import DataError
from minibert.files import write_whole

FORMATS = (".png", ".svg", ".pdf")


def check_picture(picture: Path) -> None:
    """Raise `DataError` if the picture's format is unknown."""
    if picture.suffix not in FORMATS:
        raise DataError(f"{picture}: the picture must be a .png, .svg or .pdf file")


def plot_tradeoff(report: list[dict[str, Any]], metric: str, title: str, picture: Path) -> None:
    """Draw the main metric with its interval against the latency of one text.

    Filled markers are on the Pareto front, which a line joins; so the picture reads in greyscale.

    Parameters
    ----------
    report : list of dict
        Of `minibert.comparison.report.compare`.
    metric : str
        The metric to draw, by its name in the report.
    title : str
    picture : Path
        What to write: .png, .svg or .pdf.
    """
    check_picture(picture)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    front = sorted((r for r in report if r["pareto"]), key=lambda r: r["latency_p50"])
    if len(front) > 1:
        points = [(1000 * r["latency_p50"], r["metrics"][metric]["value"]) for r in front]
        axes.plot(*zip(*points, strict=True), color="0.5", ls="--", lw=1, drawstyle="steps-post")
    for i, row in enumerate(report):
        _draw(axes, row, metric, f"C{i % 10}")
    for face, label in (("0.3", "Pareto front"), ("white", "another is as good and as fast, and better in one")):
        axes.plot([], [], "o", color="0.3", mfc=face, ms=8, label=label)
    axes.legend(loc="best", fontsize=8)
    axes.set_xscale("log")
    axes.margins(x=0.25, y=0.15)
    axes.set_xlabel("latency of one text, median (ms); less is better")
    axes.set_ylabel(f"{metric.replace('_', ' ')}, with its 95 % interval")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    picture.parent.mkdir(parents=True, exist_ok=True)
    write_whole(picture, lambda path: figure.savefig(path, dpi=120, format=picture.suffix[1:]))


def _draw(axes: Any, row: dict[str, Any], metric: str, colour: str) -> None:
    m, x = row["metrics"][metric], 1000 * row["latency_p50"]
    bars = [[max(0.0, m["value"] - m["low"])], [max(0.0, m["high"] - m["value"])]]
    face = colour if row["pareto"] else "white"
    axes.errorbar(x, m["value"], bars, fmt="o", color=colour, mfc=face, ms=8, capsize=4)
    axes.annotate(Path(row["name"]).name, (x, m["value"]), (8, 8), textcoords="offset points", fontsize=9)
