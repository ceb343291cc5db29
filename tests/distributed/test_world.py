"""Which ranks there are, and what a rank is told when there is something wrong with them."""

import sys

import pytest

from minibert.cli import main
from minibert.distributed import ALONE, World, open_world, world
from minibert.errors import MissingExtraError
from minibert.models.base import Losses
from minibert.training.accumulation import accumulate


@pytest.fixture(autouse=True)
def unknown_yet():
    world.cache_clear()
    yield
    world.cache_clear()


def test_without_mpiexec_a_process_is_alone(monkeypatch):
    for name in open_world.SIZES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    assert world() is ALONE


@pytest.mark.parametrize("name", ["PMI_SIZE", "OMPI_COMM_WORLD_SIZE"])
def test_several_ranks_without_mpi4py_are_told_what_to_install(monkeypatch, capsys, name):
    monkeypatch.setenv(name, "2")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(MissingExtraError, match=r'2 ranks need mpi4py .*: pip install "minibert-numpy\[mpi\]"'):
        world()
    assert main(["pretrain", "--corpus", "nowhere.txt"]) == 2
    assert "2 ranks need mpi4py" in capsys.readouterr().err


def test_one_rank_of_mpiexec_needs_no_mpi4py(monkeypatch):
    monkeypatch.setenv("PMI_SIZE", "1")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    assert world() is ALONE


class Draws:
    """A model that only notes what its dropout draws with."""

    def __init__(self):
        self.keys = []

    def count_targets(self, batch):
        return {}

    def losses_and_grads(self, batch, key, counts):
        self.keys.append(key)
        return Losses(0.0, {}), {}


def test_no_two_ranks_parts_or_steps_draw_the_same_dropout():
    model, ranks = Draws(), World()
    ranks.size = 3
    for step in range(4):
        for ranks.rank in range(3):
            accumulate(model, [{}, {}], (7, 2 * step), ranks)
    assert len(set(model.keys)) == 4 * 3 * 2
    alone = Draws()
    accumulate(alone, [{}, {}], (7, 4))
    assert alone.keys == [(7, 4), (7, 5)]
