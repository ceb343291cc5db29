"""What ends a run on several ranks ends it everywhere, with a message, and never hangs."""

import os
import re
import signal
import time
from pathlib import Path

import pytest
from mpi_runner import Ranks, finish, log, ran

PROGRAM = Path(__file__).with_name("failing_program.py")


@pytest.mark.parametrize(("rank", "error", "said"), [
    (1, "DataError", "minibert: the disk of this node has gone"),
    (0, "DataError", "minibert: the disk of this node has gone"),
    (1, "KeyError", "Traceback (most recent call last)"),
])  # fmt: skip
def test_a_rank_that_fails_ends_all_with_a_message(pretrain, rank, error, said):
    result = ran(pretrain(3, "--output_dir", "run", program=(PROGRAM, rank, error)), 2)
    assert f"rank {rank} of 3 ends the run. {said}" in result.stderr
    assert "has gone" in result.stderr


def test_ranks_that_have_drifted_apart_are_not_saved(pretrain, tmp_path):
    """By the last bit of a number."""
    result = ran(pretrain(2, "--output_dir", "run", program=(PROGRAM, 1, "drift")), 2)
    assert "rank 1 has other parameters than rank 0" in result.stderr
    assert not list(tmp_path.glob("run/checkpoint-*"))


def test_what_all_ranks_meet_is_said_once(pretrain):
    result = ran(pretrain(2, "--output_dir", "run", "--corpus", "nowhere.txt"), 2)
    assert result.stderr.count("nowhere.txt") == 1
    result = ran(pretrain(2, "--output_dir", "run", "--nonsense", "1"), 2)
    assert result.stderr.count("nonsense") == 1
    result = ran(pretrain(2, "--output_dir", "run", "--corpus", "-"), 2)
    assert result.stderr.count("standard input has one reader") == 1


def running(pretrain, folder, size, *options):
    """Start a run that would take long, and return it when it trains: the process, and the pids of its ranks."""
    process = pretrain(size, "--output_dir", folder.name, "--max_steps", "100000", "--log_every", "1", *options)
    until = time.monotonic() + 200
    while not (folder / "log.jsonl").exists() or len(log(folder)) < 3:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.1)
    return process, ranks_of(process.pid)


def ranks_of(pid):
    """The Python processes below a process, in the order in which they were started."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    if not children.exists():
        pytest.skip("looks for processes in /proc")
    below = [int(child) for child in children.read_text().split()]
    pythons = [child for child in below if b"python" in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[0]]
    return pythons or [rank for child in below for rank in ranks_of(child)]


def test_a_rank_that_is_killed_ends_all(pretrain, tmp_path):
    process, pids = running(pretrain, tmp_path / "run", 2)
    assert len(pids) == 2
    os.kill(pids[1], signal.SIGKILL)
    result = finish(process)
    assert result.returncode != 0
    assert "BAD TERMINATION" in result.stderr + result.stdout


@pytest.mark.parametrize(("number", "to_all"), [(signal.SIGINT, False), (signal.SIGTERM, True)])
def test_a_signal_stops_all_after_the_same_step(pretrain, tmp_path, number, to_all):
    """To one rank alone; and to mpiexec, which passes it on."""
    process, pids = running(pretrain, tmp_path / "run", 2)
    os.kill(process.pid if to_all else pids[1], number)
    result = ran(process, 128 + number)
    step = int(re.search(rf"{number.name} after step (\d+): saved; go on with", result.stderr)[1])
    assert (tmp_path / f"run/checkpoint-{step}/manifest.json").exists()
    ran(pretrain(1, "--resume_from_checkpoint", "run", "--max_steps", str(step + 1), "--allow_change"))


def test_ranks_that_cannot_see_each_other_do_not_train_one_by_one(tmp_path):
    """As with the mpiexec of another MPI library than mpi4py's."""
    ranks = Ranks(tmp_path, PMI_SIZE="2")
    result = ran(ranks.start(1, "-m", "minibert", "pretrain"), 2)
    assert "2 ranks were started, but" in result.stderr
    assert "start them with the mpiexec of that library" in result.stderr


def test_other_commands_are_for_one_process(tmp_path):
    result = ran(Ranks(tmp_path).start(2, "-m", "minibert", "corpora"), 2)
    assert "corpora runs in one process: start it without mpiexec" in result.stderr
    assert result.stdout == ""
