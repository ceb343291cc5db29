"""Pictures for notebooks: grey, so that they read on paper too, with titles, axes and alt text."""

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from minibert.errors import MissingExtraError

if TYPE_CHECKING:
    from IPython.display import Image
    from matplotlib.axes import Axes

DPI = 80
PAGE = 7.2  # inches: two or three small matrices side by side, which a telephone shrinks to something readable
LARGEST_WITH_NUMBERS = 160  # cells: in larger arrays numbers would be too small to read
STYLES = ("-", "--", ":", "-.")  # not colours alone tell curves apart
FEW = 8  # points: each has its own tick


def show(figure: Figure, alt: str) -> "Image":
    """Return a figure as a PNG whose alternative text is `alt`, for the last line of a notebook's cell.

    Raises
    ------
    MissingExtraError
        If IPython is not installed.
    """
    try:
        from IPython.display import Image
    except ModuleNotFoundError as error:
        raise MissingExtraError('pictures in notebooks need IPython: pip install "minibert-numpy[lessons]"') from error
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return Image(buffer.getvalue(), alt=alt)


def heatmaps(
    arrays: dict[str, np.ndarray],
    title: str,
    alt: str,
    axes: tuple[str, str] = ("row", "column"),
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    limits: tuple[float, float] | None = None,
) -> "Image":
    """Draw matrices side by side: the darker, the larger the value; small ones with their numbers.

    Parameters
    ----------
    arrays : dict of (n, m) arrays
        By the title of each. Vectors are drawn as one row.
    title, alt : str
        Of the whole picture.
    axes : (str, str)
        What the rows and the columns are.
    rows, columns : sequence of str, optional
        Names for the ticks of all matrices.
    limits : (float, float), optional
        The values drawn white and black; by default each matrix has its own.
    """
    margin = 0.9 + 0.09 * max(map(len, rows or [""]))

    def width(matrix: np.ndarray) -> float:
        return 4.2 if matrix.size > LARGEST_WITH_NUMBERS else max(2.2, margin + 0.52 * matrix.shape[1])

    figure = Figure(layout="constrained")
    lines = _lines([(name, np.atleast_2d(np.asarray(a, float))) for name, a in arrays.items()], width)
    heights = [max(_height(matrix) for _, matrix in line) for line in lines]
    widths = [sum(width(matrix) for _, matrix in line) for line in lines]
    figure.set_size_inches(max(widths), sum(heights) + 0.3)
    parts = np.atleast_1d(figure.subfigures(len(lines), 1, height_ratios=heights))
    for part, line, used in zip(parts, lines, widths, strict=True):
        ratios = [*(width(matrix) for _, matrix in line), max(widths) - used + 1e-3]  # the last one: empty
        *panels, rest = part.subplots(1, len(ratios), squeeze=False, width_ratios=ratios)[0]
        rest.set_axis_off()
        for panel, (name, matrix) in zip(panels, line, strict=True):
            _draw_matrix(panel, matrix, limits)
            panel.set_title(name, fontsize=10)
            panel.set_ylabel(axes[0])
            panel.set_xlabel(axes[1])
            _name_ticks(panel, matrix.shape, rows, columns)
    figure.suptitle(title, fontsize=11)
    return show(figure, alt)


def _height(matrix: np.ndarray) -> float:
    """Of a panel, in inches."""
    return 3.6 if matrix.size > LARGEST_WITH_NUMBERS else max(1.2, 0.9 + 0.36 * matrix.shape[0])


def _lines(
    named: list[tuple[str, np.ndarray]], width: Callable[[np.ndarray], float]
) -> list[list[tuple[str, np.ndarray]]]:
    """Break a row of panels into lines that fit a page."""
    lines, used = [[]], 0.0
    for name, matrix in named:
        more = width(matrix)
        if lines[-1] and used + more > PAGE:
            lines.append([])
            used = 0.0
        lines[-1].append((name, matrix))
        used += more
    return lines


def _draw_matrix(panel: "Axes", matrix: np.ndarray, limits: tuple[float, float] | None) -> None:
    low, high = limits or (np.nanmin(matrix), np.nanmax(matrix))
    high = high if high > low else low + 1
    image = panel.imshow(matrix, cmap="Greys", vmin=low, vmax=high + 0.25 * (high - low), aspect="auto")
    if matrix.size > LARGEST_WITH_NUMBERS:
        panel.figure.colorbar(image, ax=panel).ax.set_ylim(low, high)
        return
    for (i, j), value in np.ndenumerate(matrix):
        text = f"{value + 0.0:.0f}" if value == round(value) else f"{round(value, 2) + 0.0:.2f}"  # no "-0.00"
        dark = (value - low) > 0.7 * (high - low)
        panel.text(j, i, text, ha="center", va="center", fontsize=8.5, color="white" if dark else "black")


def _name_ticks(
    panel: "Axes", shape: tuple[int, int], rows: Sequence[str] | None, columns: Sequence[str] | None
) -> None:
    for axis, n, names in ((panel.yaxis, shape[0], rows), (panel.xaxis, shape[1], columns)):
        if names is not None and len(names) == n:
            axis.set_ticks(range(n), list(names))
        elif n <= 16:
            axis.set_ticks(range(n))
    if columns is not None and max(map(len, columns)) > 3:
        panel.tick_params(axis="x", rotation=60)


def curves(
    lines: dict[str, tuple[np.ndarray, np.ndarray]],
    title: str,
    alt: str,
    axes: tuple[str, str],
    levels: dict[str, float] | None = None,
    log: tuple[bool, bool] = (False, False),
) -> "Image":
    """Draw curves, told apart by line style, and horizontal lines at `levels`.

    Parameters
    ----------
    lines : dict of (x, y)
        By the name in the legend.
    title, alt : str
    axes : (str, str)
        What x and y are.
    levels : dict of float, optional
        By the name in the legend.
    log : (bool, bool)
        Is the x axis, is the y axis logarithmic?
    """
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    panel = figure.add_subplot()
    for i, (name, (x, y)) in enumerate(lines.items()):
        marker = "o" if len(x) <= 20 else None
        shade = ("black", "0.35", "0.55")[i % 3]
        panel.plot(x, y, STYLES[i % len(STYLES)], color=shade, marker=marker, ms=4, label=name)
    for i, (name, level) in enumerate((levels or {}).items()):
        panel.axhline(level, color="0.4", ls=STYLES[1 + i % 3], lw=1, label=f"{name}: {level:.2f}")
    for is_log, set_scale in zip(log, (panel.set_xscale, panel.set_yscale), strict=True):
        if is_log:
            set_scale("log")
    points = np.unique(np.concatenate([x for x, _ in lines.values()]))
    if len(points) <= FEW:
        panel.set_xticks(points, [f"{x:g}" for x in points])
        panel.set_xticks([], minor=True)
    panel.set_xlabel(axes[0])
    panel.set_ylabel(axes[1])
    panel.set_title(title, fontsize=11)
    panel.grid(alpha=0.3)
    if len(lines) > 1 or levels:
        panel.legend()
    return show(figure, alt)
