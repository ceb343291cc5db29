"""`mpiexec -n N minibert pretrain`: what several ranks train is what one trains."""

import numpy as np
import pytest
from mpi_runner import log, ran
from safetensors.numpy import load_file


def assert_same_log(folder, other):
    """To 1e-12, for what follows from sums in another order."""
    for one, two in zip(log(folder), log(other), strict=True):
        norms = one.pop("grad_norms", {}), two.pop("grad_norms", {})
        assert one == pytest.approx(two, rel=1e-12)
        assert norms[0] == pytest.approx(norms[1], rel=1e-12)


def assert_same_weights(folder, other, atol):
    one, two = load_file(folder / "model.safetensors"), load_file(other / "model.safetensors")
    assert one.keys() == two.keys()
    for name, array in one.items():
        np.testing.assert_allclose(array, two[name], rtol=0, atol=atol, err_msg=name, strict=True)


def test_ranks_train_what_one_rank_trains(pretrain, tmp_path):
    """Weights of size 0.1 to 1e-12, after 6 steps; the same bits when run again, or resumed on as many ranks."""
    alone = ran(pretrain(1, "--output_dir", "alone"))
    together = ran(pretrain(2, "--output_dir", "together"))
    assert together.stdout == alone.stdout.replace("alone", "together")  # rank 0 alone prints
    assert_same_log(tmp_path / "alone", tmp_path / "together")
    assert_same_weights(tmp_path / "alone", tmp_path / "together", 1e-12)
    again = ran(pretrain(2, "--output_dir", "again"))
    assert again.stderr == together.stderr
    weights = (tmp_path / "together/model.safetensors").read_bytes()
    assert (tmp_path / "again/model.safetensors").read_bytes() == weights
    ran(pretrain(2, "--resume_from_checkpoint", "again/checkpoint-3"))
    assert (tmp_path / "again/model.safetensors").read_bytes() == weights
    assert log(tmp_path / "again") == log(tmp_path / "together")


def test_a_run_goes_on_with_another_number_of_ranks(pretrain, tmp_path):
    ran(pretrain(1, "--output_dir", "alone"))
    ran(pretrain(3, "--output_dir", "run"))
    for size in (2, 1):
        ran(pretrain(size, "--resume_from_checkpoint", "run/checkpoint-3"))
        assert_same_log(tmp_path / "alone", tmp_path / "run")
        assert_same_weights(tmp_path / "alone", tmp_path / "run", 1e-12)
