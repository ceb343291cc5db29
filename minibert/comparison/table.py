"""The comparison as text."""

from typing import Any

from minibert.units import bytes_text

FEW = 20  # rows on which two models differ: with fewer, a bootstrap interval excludes 0 too easily
HEADINGS = "", "model", "", "from the best", "parameters", "trained", "disk", "memory", "p50 ms", "p95 ms", "texts/s"


def table(report: list[dict[str, Any]], metric: str) -> str:
    """Return a row for each candidate of `minibert.comparison.report.compare`; * marks the Pareto front."""
    rows = [list(HEADINGS), *([*_cells(row, metric)] for row in report)]
    rows[0][2] = metric.replace("_", " ")
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADINGS))]
    lines = []
    for row in rows:
        cells = (c.ljust(w) if i in (1, 2, 3) else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def verdicts(report: list[dict[str, Any]], metric: str) -> list[str]:
    """Return for each candidate but the best a sentence: is it really worse?"""
    best = next(row["name"] for row in report if row["difference"] is None)
    lines = []
    for row in report:
        if row["difference"] is not None:
            d, what = row["difference"], metric.replace("_", " ")
            ends = f"{what} {d['value']:+.4f} [{d['low']:+.4f}, {d['high']:+.4f}]"
            lines.append(f"{row['name']} beside {best}: {ends}, {_verdict(d)}")
    return lines


def _verdict(difference: dict[str, Any]) -> str:
    if not difference["excludes_zero"]:
        return "the interval holds 0: that may be chance"
    if _is_clear(difference):
        return "the interval excludes 0"
    return f"which rests on {difference['differ']} rows where the two differ, too few to tell"


def _is_clear(difference: dict[str, Any]) -> bool:
    return difference["excludes_zero"] and difference["differ"] >= FEW


def _cells(row: dict[str, Any], metric: str) -> tuple[str, ...]:
    m, d = row["metrics"][metric], row["difference"]
    return (
        "*" if row["pareto"] else "",
        row["name"],
        f"{m['value']:.4f} [{m['low']:.4f}, {m['high']:.4f}]",
        "the best" if d is None else f"{d['value']:+.4f}" + ("" if _is_clear(d) else " (may be chance)"),
        f"{row['parameters']:,}",
        f"{row['trainable']:,}",
        bytes_text(row["disk"]),
        "" if row["memory"] is None else bytes_text(row["memory"]),
        f"{1000 * row['latency_p50']:.2f}",
        f"{1000 * row['latency_p95']:.2f}",
        f"{row['texts_per_second']:,.0f}",
    )
