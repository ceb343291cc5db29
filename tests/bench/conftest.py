"""Small sizes, a clock that does not wait, and the command."""

import pytest

from minibert import backend
from minibert.bench import machine, timing
from minibert.bench.sizes import Sizes
from minibert.cli import main

pytest.importorskip("numba", reason="needs the extra `numba`")


@pytest.fixture(autouse=True)
def own_backend():
    """The sides of a comparison choose backends; what runs after a test finds the one that was there before."""
    with backend("numpy"):
        yield


@pytest.fixture
def sizes():
    return Sizes("bert-tiny", batch_size=2, seq_len=8, vocab_size=50, dropout=0.0)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(timing, "PAUSE", 0)
    monkeypatch.setattr(machine, "CEILING_PRODUCTS", [(64, 64, 64)])


@pytest.fixture
def command(quick, capsys):
    """Run `minibert bench` at the smallest sizes: its exit code, output and errors."""

    def run(*argv):
        small = "--repeat 1 --batch_size 2 --seq_len 8 --vocab_size 50".split()
        try:
            code = main(["bench", "--decode", "--encode", *small, *map(str, argv)])
        except SystemExit as exit:
            code = exit.code
        return code, *capsys.readouterr()

    return run
