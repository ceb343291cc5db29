"""Ctrl-C and SIGTERM, sent to a process that trains."""

import os
import signal
import subprocess
import sys

import pytest

from minibert.training.checkpoints import good_checkpoint

PROGRAM = """
import signal, sys, time
from pathlib import Path
from minibert.cli import main
from minibert.training import loop

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
right = loop.take_step

def waiting(*args):
    if args[5] == 3:
        print("step 3", file=sys.stderr, flush=True)
        while not Path("go on").exists():
            time.sleep(0.01)
    return right(*args)

loop.take_step = waiting
sys.exit(main(sys.argv[1:]))
"""
OPTIONS = "--max_steps 5 --warmup_steps 1 --eval_every 5 --eval_batches 1 --batch_size 4 --seq_len 24 --vocab_size 120"
OPTIONS += " --heldout 0.3 --save_every 1 --backend numpy --output_dir run"
PATIENCE = 120  # seconds


@pytest.fixture
def training(text, tmp_path):
    """A process in its third step, which lasts until there is a file `go on`."""
    command = [sys.executable, "-c", PROGRAM, "pretrain", "--corpus", text, *OPTIONS.split()]
    environment = {**os.environ, "MINIBERT_CACHE": str(tmp_path / "cache")}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as process:
        said(process, "step 3")
        yield process
        process.kill()


def said(process, words):
    """Wait until the process says it, and return that line."""
    for line in process.stderr:
        if words in line:
            return line
    raise AssertionError(f"ended without {words!r}")


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no signals to one process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_step_is_finished_and_saved(training, tmp_path, number):
    training.send_signal(number)
    assert f"{number.name}: finishing this step and saving; once more ends at once" in said(training, number.name)
    (tmp_path / "go on").touch()
    assert f"{number.name} after step 3: saved; go on with: minibert pretrain --resume" in said(training, "minibert:")
    assert training.wait(PATIENCE) == 128 + number
    assert good_checkpoint(tmp_path / "run", None).name == "checkpoint-3"


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no signals to one process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_one_ends_at_once(training, tmp_path, number):
    training.send_signal(number)
    said(training, "once more ends at once")
    training.send_signal(number)
    assert training.wait(PATIENCE) == (130 if number == signal.SIGINT else -number)
    assert good_checkpoint(tmp_path / "run", None).name == "checkpoint-2"
