"""Where the time goes: seconds, GFLOP/s and GB/s of each kind of op, against the machine's ceiling."""

from collections.abc import Iterable

from minibert.tracing.record import Record
from minibert.tracing.table import Table


def profile(records: Iterable[Record], ceiling: float | None = None) -> Table:
    """Sum up records by the op's name, the slowest first.

    Parameters
    ----------
    records : iterable of Record
        Ops inside of others are left out: they are counted in them.
    ceiling : float, optional
        The FLOP/s to compare with; by default what NumPy's fastest large product reaches now (about a second).
    """
    if ceiling is None:
        from minibert.bench.machine import ceiling as measure

        ceiling = measure()
    groups: dict[str, list[Record]] = {}
    for record in records:
        if record.depth == 0:
            groups.setdefault(record.name, []).append(record)
    total = sum(r.seconds for group in groups.values() for r in group)
    slowest = sorted(groups.items(), key=lambda item: -sum(r.seconds for r in item[1]))
    rows = [_row(name, group, total, ceiling) for name, group in slowest]
    header = ("op", "calls", "ms", "share", "GFLOP", "GFLOP/s", "of ceiling", "GB/s")
    note = f"{1e3 * total:.1f} ms in ops; the ceiling is {ceiling / 1e9:.0f} GFLOP/s. Matrix products count as FLOPs."
    return Table(header, rows, frozenset(range(1, len(header))), note)


def _row(name: str, group: list[Record], total: float, ceiling: float) -> tuple[str, ...]:
    seconds, flops, moved = (sum(getattr(r, field) for r in group) for field in ("seconds", "flops", "bytes"))
    speed = flops / seconds if seconds else 0.0
    work = (f"{flops / 1e9:.3f}", f"{speed / 1e9:.1f}", f"{speed / ceiling:.0%}") if flops else ("", "", "")
    rate = f"{moved / seconds / 1e9:.1f}" if seconds else ""
    return name, str(len(group)), f"{1e3 * seconds:.2f}", f"{seconds / total:.0%}" if total else "", *work, rate
