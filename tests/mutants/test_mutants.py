"""The tool that plants mistakes: what it plants, and that a planted mistake is there and gone again."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mutants import targets
from mutants.mutate import mutants

from minibert import ops

TESTS = Path(__file__).parents[1]


def formula(x, y, n=2):
    """Not a place for mistakes: 1 + 1."""
    z = x - y * n
    z += 1.0
    return z.sum(-1), x.T


def test_each_kind_of_mistake():
    planted = [f"{m.kind}: {m.before} -> {m.after}" for m in mutants(formula)]
    expected = [
        "sign: x - y * n -> x + y * n",
        "missing: x - y * n -> x",
        "order: x - y * n -> y * n - x",
        "variable: x -> y",
        "scale: y * n -> y / n",
        "missing: y * n -> y",
        "missing: z += 1.0 -> pass",
        "number: 1.0 -> 2.0",
        "order: (z.sum(-1), x.T) -> (x.T, z.sum(-1))",
        "scale: z.sum(-1) -> z.mean(-1)",
        "number: 1 -> 2",
        "axis: x.T -> x",
    ]
    assert [e for e in expected if e not in planted] == []
    assert not any("1 + 1" in p for p in planted)
    assert len(planted) == len(set(planted)) + planted.count("variable: x -> y") - 1


def test_every_mistake_is_other_code_of_the_same_function():
    right = formula.__code__
    x, y = np.ones((3, 2)), np.full((3, 2), 5.0)
    for mutant in mutants(formula):
        assert mutant.code != right
        assert (mutant.code.co_qualname, mutant.code.co_filename) == (right.co_qualname, right.co_filename)
    wrong = next(m for m in mutants(formula) if m.kind == "sign")
    try:
        formula.__code__ = wrong.code
        assert formula(x, y)[0].tolist() == [24, 24, 24]
    finally:
        formula.__code__ = right
    assert formula(x, y)[0].tolist() == [-16, -16, -16]


def test_the_functions_are_all_backward_passes():
    names = {function.__name__ for function in targets.functions("ops")}
    assert {name for name in ops.__all__ if name.endswith("_backward")} <= names
    assert "gelu" not in names
    for folder in ("blocks", "models"):
        assert any(function.__name__.endswith("_backward") for function in targets.functions(folder))


@pytest.mark.slow
def test_mistakes_are_noticed():
    """A few in the operations, through the whole tool, and one that nothing notices: axes swapped are axes swapped."""
    command = [sys.executable, "-m", "mutants", "ops", "--every", "40"]
    found = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=True).stdout
    last = found.strip().splitlines()[-1].split()
    assert last[0] == "ops:"
    assert int(last[1]) >= int(last[3]) - 1 > 10


def test_the_kernels_run_as_plain_python():
    """Compiled or read line by line, they compute the same."""
    code = """
import sys
from mutants import interpreted
interpreted.load()
import numpy as np
from extreme_cases import arguments, results
from minibert.kernels import norm
assert type(norm._backward_row) is type(interpreted.load)
for name in ("layer_norm", "attention", "feed_forward", "embedding", "cross_entropy"):
    args = arguments(name, 0, np.float64)
    for ours, reference in zip(results(name, args, "numba"), results(name, args), strict=True):
        np.testing.assert_allclose(ours, reference, rtol=0, atol=1e-12)
"""
    subprocess.run([sys.executable, "-c", code], cwd=TESTS, check=True)
