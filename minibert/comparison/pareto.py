"""The Pareto front: what nothing else beats on both counts."""

from collections.abc import Sequence


def pareto_front(qualities: Sequence[float], costs: Sequence[float]) -> list[bool]:
    """Return for each of N candidates whether no other is at least as good and as cheap, and better in one of the two.

    Equal candidates do not push one another off the front. NaN is neither good nor cheap: never on it.

    Parameters
    ----------
    qualities : (N,) more is better
    costs : (N,) less is better
    """
    points = list(zip(qualities, costs, strict=True))
    return [q == q and c == c and not any(_beats(other, (q, c)) for other in points) for q, c in points]


def _beats(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return a[0] >= b[0] and a[1] <= b[1] and a != b
