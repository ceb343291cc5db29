"""The picture of a comparison says what its table says."""

import pytest

from minibert.comparison.table import table, verdicts
from minibert.errors import DataError
from minibert.view.tradeoff import plot_tradeoff


def row(name, value, latency, pareto, difference=None, memory=2**20):
    metrics = {"accuracy": {"value": value, "low": value - 0.02, "high": value + 0.01, "confidence": 0.95}}
    numbers = {"parameters": 1000, "trainable": 10, "disk": 4096, "memory": memory, "texts_per_second": 50.0}
    speed = {"latency_p50": latency, "latency_p95": 2 * latency}
    return {"name": name, "metrics": metrics, "difference": difference, "pareto": pareto, **numbers, **speed}


def behind(value, real, differ=100):
    return {"value": value, "low": value - 0.01, "high": value + 0.01, "excludes_zero": real, "differ": differ}


REPORT = [
    row("runs/large", 0.91, 0.2, True),
    row("small", 0.90, 0.01, True, behind(-0.01, False)),
    row("slow", 0.5, 0.3, False, behind(-0.41, True), memory=None),
    row("unlucky", 0.88, 0.3, False, behind(-0.03, True, differ=4), memory=None),
]


def test_the_table():
    lines = table(REPORT, "accuracy").splitlines()
    assert [line.startswith("*") for line in lines] == [False, True, True, False, False]
    assert len({len(line) for line in lines[1:]}) == 1  # columns are aligned
    assert "0.9100 [0.8900, 0.9200]" in lines[1]
    assert "the best" in lines[1]
    assert "-0.0100 (may be chance)" in lines[2]
    assert "200.00" in lines[1]
    assert "400.00" in lines[1]
    assert "1.0 MiB" in lines[1]
    assert "(may be chance)" in lines[4]
    assert "MiB" not in lines[3]  # where the system cannot tell, nothing stands


def test_the_verdicts():
    small, slow, unlucky = verdicts(REPORT, "accuracy")
    assert small.startswith("small beside runs/large: accuracy -0.0100 [-0.0200, +0.0000]")
    assert small.endswith("holds 0: that may be chance")
    assert slow.endswith("the interval excludes 0")
    assert unlucky.endswith("rests on 4 rows where the two differ, too few to tell")


def test_the_picture(tmp_path):
    plot_tradeoff(REPORT, "accuracy", "films: 17 examples", tmp_path / "new" / "choice.svg")
    svg = (tmp_path / "new" / "choice.svg").read_text()
    for text in ("large", "small", "slow", "films: 17 examples", "latency of one text", "Pareto front"):
        assert f"<!-- {text}" in svg
    with pytest.raises(DataError, match=r"must be a \.png"):
        plot_tradeoff(REPORT, "accuracy", "films", tmp_path / "choice.gif")
