"""What several ranks compute together is what one computes alone."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from mpi_runner import Ranks, finish
from rank_cases import CASES, SUMS, one_step, summand

import minibert

PROGRAM = Path(__file__).with_name("step_program.py")


class Step(NamedTuple):
    """What each rank has after a step of every case."""

    backend: str
    arrays: list[dict[str, np.ndarray]]


@pytest.fixture(scope="module", params=[(2, "numpy"), (3, "numpy"), (2, "numba")], ids="{0[0]} {0[1]}".format)
def step(request, tmp_path_factory):
    size, backend = request.param
    ranks = Ranks(tmp_path_factory.mktemp("step"))
    result = finish(ranks.start(size, PROGRAM, backend))
    assert result.returncode == 0, result.stderr
    return Step(backend, [dict(np.load(ranks.folder / f"rank-{rank}.npz")) for rank in range(size)])


def test_every_rank_has_the_same_bits(step):
    first, *others = step.arrays
    for other in others:
        assert other.keys() == first.keys()
        for name, array in first.items():
            np.testing.assert_array_equal(array, other[name], err_msg=name, strict=True)


def test_sums_are_those_of_a_loop_over_the_ranks(step):
    """Bit for bit; the other order gives other bits, so this one was kept."""
    for size in SUMS:
        arrays = [summand(rank, size) for rank in range(len(step.arrays))]
        total = arrays[0].copy()
        for array in arrays[1:]:
            total += array
        np.testing.assert_array_equal(step.arrays[0][f"sum {size}"], total, strict=True)
    if len(arrays) == 3:
        assert (total != arrays[2] + arrays[1] + arrays[0]).any()


@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradients_are_those_of_one_rank(step, case):
    """In float64, to 1e-12 of the largest element of all gradients; counts of targets and of right guesses exactly."""
    with minibert.backend(step.backend):
        alone = one_step(case)
    largest = max(abs(array).max() for name, array in alone.items() if name != "losses")
    for name, array in alone.items():
        together = step.arrays[0][f"{case} {name}"]
        np.testing.assert_allclose(together, array, rtol=1e-12, atol=1e-12 * largest, err_msg=name, strict=True)
