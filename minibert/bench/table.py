"""The report as text: one table a section, with targets and verdicts."""

from minibert.bench.rows import Row
from minibert.bench.run import Report

TITLES = {
    "ops": "Ops, forward and backward (products: one product). Medians in ms; x: how many times as fast kernels are",
    "memory": "Memory in MB",
    "steps": "Training steps. x: how many times as fast the kernels are; memory x: what they take of it",
    "decoding": "Writing token by token. x: how many times as fast the kernels are",
    "encoding": "Sentences into vectors. x: how many times as fast the kernels are",
    "cold": "First step",
}
COLUMNS = {  # key -> heading, format
    "kernels_ms": ("kernels", ".2f"),
    "numpy_ms": ("NumPy", ".2f"),
    "torch_ms": ("PyTorch", ".2f"),
    "times_numpy": ("x NumPy", ".2f"),
    "times_torch": ("x PyTorch", ".2f"),
    "times_full": ("x full", ".2f"),
    "kernels_mb": ("kernels", ".1f"),
    "numpy_mb": ("NumPy", ".1f"),
    "torch_mb": ("PyTorch", ".1f"),
    "ms": ("ms", ",.1f"),
    "times": ("x", ".2f"),
    "tokens_per_second": ("tokens/s", ",.0f"),
    "gflops": ("GFLOP/s", ".1f"),
    "share": ("of best", ".0%"),
    "gigabytes_per_second": ("GB/s", ".1f"),
    "memory_share": ("of memory", ".0%"),
    "mb": ("MB", ",.0f"),
    "outside_kernels": ("outside kernels", ".1%"),
    "memory_ratio": ("memory x", ".2f"),
    "seconds": ("seconds", ".1f"),
}


def text(report: Report) -> str:
    """Return the whole report."""
    m = report.machine
    lines = [
        f"{m['cpu']}, {m['cores']} cores; "
        + ", ".join(f"{name} {m[name]}" for name in ("numpy", "numba", "torch", "transformers") if m[name]),
        f"best float32 product, of NumPy or of the kernels: {m['best_product_gflops']:.1f} GFLOP/s",
    ]
    for section, title in TITLES.items():
        rows = [row for row in report.rows if row.section == section]
        if rows:
            lines += ["", title, *table(rows)]
    return "\n".join([*lines, "", *(f"note: {note}" for note in report.notes), summary(report.rows)])


def table(rows: list[Row]) -> list[str]:
    """Return the lines of one table. A column that no row has a value for is left out."""
    keys = [key for key in COLUMNS if any(row.values.get(key) is not None for row in rows)]
    cells = [["", *(COLUMNS[key][0] for key in keys), "target"]]
    for row in rows:
        name = f"{row.name} ({row.note})" if row.note else row.name
        cells.append([name, *(cell(row.values.get(key), COLUMNS[key][1]) for key in keys), verdict(row)])
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    return [
        f"{line[0]:<{widths[0]}}  "
        + "  ".join(f"{text:>{width}}" for text, width in zip(line[1:-1], widths[1:-1], strict=True))
        + f"  {line[-1]}".rstrip()
        for line in cells
    ]


def cell(value: float | None, form: str) -> str:
    """Return a number as text, or nothing."""
    return "" if value is None else format(value, form)


def verdict(row: Row) -> str:
    """Return each target with what came of it, for example: x PyTorch >= 1.3 met."""
    marks = {True: "met", False: "MISSED", None: "not measured"}
    return ", ".join(
        f"{COLUMNS[v['key']][0]} {v['sense']} {cell(v['bound'], bound_form(v['key']))} {marks[v['met']]}"
        for v in row.verdicts
    )


def bound_form(key: str) -> str:
    """Return how a bound is written: as it is, or in percent."""
    return ".0%" if key == "share" else "g"


def summary(rows: list[Row]) -> str:
    """Return how many targets were met."""
    verdicts = [v["met"] for row in rows for v in row.verdicts]
    if not verdicts:
        return "no targets: they are set for other sizes (see minibert bench --help)"
    open_ones = sum(met is None for met in verdicts)
    return f"targets: {sum(met is True for met in verdicts)} met, {sum(met is False for met in verdicts)} missed" + (
        f", {open_ones} not measured" if open_ones else ""
    )
