"""What the bench says of many ranks."""

import json

import pytest
from mpi_runner import mpiexec

from minibert import BertForPreTraining
from minibert.bench.scaling import Plan, draw, scaling, text
from minibert.bench.scaling_model import Network, Work, step_time, sum_seconds, work_of
from minibert.bench.sizes import Sizes

FAST, SLOW = Network(float("inf"), 0.0), Network(1.0, 0.0)
WORK = Work(row=3.0, update=5.0, heads=0.2, layers=2, layer_bytes=6, other_bytes=10)


def test_a_sum_sends_every_slice_and_every_sum_once():
    assert sum_seconds(12, 1, SLOW) == 0
    assert sum_seconds(12, 4, SLOW) == 2 * 3 / 4 * 12
    assert sum_seconds(12, 4, Network(float("inf"), 0.5)) == 2 * 3 * 0.5


def test_rows_are_shared_and_the_update_is_not():
    assert step_time(WORK, 1, 8, SLOW) == (29, 0, 29)
    assert step_time(WORK, 4, 8, FAST) == (11, 0, 11)
    assert step_time(WORK, 3, 8, FAST).total == 14  # one of three ranks has 3 of 8


def test_sums_of_layers_hide_behind_the_layers_below():
    """2 ranks, a row each: 1 s forward, 0.4 s of heads, two layers of 0.8 s, done at 2.2 s and 3.0 s."""
    assert step_time(WORK, 2, 2, Network(100, 0.0)).total == pytest.approx(3 + 0.06 + 0.1 + 5)  # the first hides
    assert step_time(WORK, 2, 2, SLOW).total == pytest.approx(2.2 + 6 + 6 + 10 + 5)  # the network is always busy
    assert step_time(WORK, 2, 2, SLOW).messages == 22


def test_the_bytes_are_those_of_all_parameters():
    work = work_of(Sizes("bert-tiny", vocab_size=50), 1.0, 1.0)
    model = BertForPreTraining(Sizes("bert-tiny", vocab_size=50).config(), seed=None)
    assert work.layers * work.layer_bytes + work.other_bytes == 4 * model.num_parameters()
    assert 0 < work.heads < work_of(Sizes("bert-tiny"), 1.0, 1.0).heads < 1  # more words, more work of the head


def test_two_ranks_are_measured_and_the_rest_is_modelled(tmp_path):
    mpiexec()
    sizes = Sizes("bert-tiny", batch_size=2, seq_len=8, vocab_size=50)
    result = scaling(Plan(sizes, 1, 256, Network(1e9, 1e-5), backend="numpy"))
    assert list(result.measured) == [1, 2]
    assert result.measured[2]["sums"] > 0
    assert list(result.modelled) == [1, 2, 4, 8, 16, 32, 64]
    assert [line.split()[0] for line in text(result).splitlines()[-7:]] == ["1", "2", "4", "8", "16", "32", "64"]
    assert json.loads(json.dumps(result.to_dict()))["modelled"]["64"]["total"] == result.modelled[64].total
    draw(result, tmp_path / "scaling.png")
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("wrong", ["--bandwidth 0", "--global_batch 0", "--latency -1", "--scaling gpt2"])
def test_what_cannot_be_modelled_is_refused_before_anything_runs(command, wrong):
    code, out, err = command("--scaling", "bert-tiny", *wrong.split())
    assert (code, out) == (2, "")
    assert err.startswith("minibert: --")
