"""The Pareto front, and how candidates are timed."""

import math

from hypothesis import given
from hypothesis import strategies as st

from minibert.comparison.pareto import pareto_front
from minibert.comparison.speed import ROUNDS, measure_speeds

POINTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8)


def test_what_is_beaten_is_not_on_the_front():
    qualities, costs = [0.9, 0.8, 0.95, 0.9, 0.7], [10, 5, 20, 12, 6]
    assert pareto_front(qualities, costs) == [True, True, True, False, False]


def test_equals_stay_together_and_nan_does_not_count():
    assert pareto_front([0.5, 0.5], [1, 1]) == [True, True]
    assert pareto_front([0.5, 0.5], [1, 2]) == [True, False]
    assert pareto_front([math.nan, 0.1], [1, 9]) == [False, True]


@given(POINTS)
def test_the_front_by_its_definition(points):
    front = pareto_front(*zip(*points, strict=True))
    assert any(front)
    for (q, c), on in zip(points, front, strict=True):
        beaten = any((b >= q and d < c) or (b > q and d <= c) for b, d in points)
        assert on == (not beaten)


def test_candidates_take_turns_with_the_same_texts():
    calls = []
    singles, many = list(range(12)), list(range(100, 107))
    candidates = {name: lambda inputs, name=name: calls.append((name, inputs)) for name in "ab"}
    speeds = measure_speeds(candidates, singles, many)
    assert [name for name, inputs in calls if inputs == many] == ["a", "b"] * ROUNDS
    timed = {name: [inputs for who, inputs in calls if who == name] for name in "ab"}
    assert timed["a"] == timed["b"]
    alone = [inputs[0] for inputs in timed["a"] if len(inputs) == 1]
    assert sorted(alone) == sorted([*singles, *[0] * ROUNDS])  # each text once, and the one that does not count
    assert all(0 < speed.p50 <= speed.p95 and speed.per_second > 0 for speed in speeds.values())
