"""No checkpoint is lost and none that is not whole is loaded, whatever happens while one is saved."""

import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from hostile.runs import new_run

from minibert.data.tokenizer_characters import train_characters
from minibert.errors import CheckpointError
from minibert.tokenizers.auto import with_face
from minibert.training.checkpoints import Checkpoints, good_checkpoint
from minibert.training.progress import Progress
from minibert.training.whole_folder import MANIFEST, check_folder, write_folder

PROGRAM = Path(__file__).with_name("saving_under_fire.py")
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
HANGS = 1200  # seconds: far more than any of them takes
traced = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="ptrace is used as it is on Linux and x86-64"
)


@pytest.fixture
def memory():
    """A folder in memory where there is one: these tests flush to the disk thousands of times."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        yield Path(folder)


def under_fire(what, folder, number):
    """What `saving_under_fire.py` found."""
    command = [sys.executable, PROGRAM, what, folder, str(number)]
    done = subprocess.run(command, env={**os.environ, **ONE_THREAD}, capture_output=True, timeout=HANGS)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


@traced
@pytest.mark.parametrize("stride", [41, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_at_a_system_call_of_a_save(memory, stride):
    result = under_fire("kill", memory, stride)
    assert result["found"] == {}
    assert result["hits"] > 400 / stride  # a save is more than 200 calls, a replacing one too


@traced
@pytest.mark.parametrize("stride", [37, pytest.param(1, marks=pytest.mark.slow)])
def test_a_full_disk_an_io_error_a_read_only_folder_at_a_system_call_of_a_save(memory, stride):
    result = under_fire("fail", memory, stride)
    assert result["found"] == {}
    assert result["hits"] > 3 * 300 / stride


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the run is forked")
@pytest.mark.parametrize("kills", [10, pytest.param(300, marks=pytest.mark.slow)])
def test_killed_at_random_moments_a_run_ends_with_the_same_bits(memory, kills):
    result = under_fire("run", memory, kills)
    assert result["found"] == {}
    assert result["hits"] == kills
    assert result["steps"] > 0


@pytest.mark.slow
def test_a_small_disk_with_ever_more_room(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.name == "nt" or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk]).returncode:
        pytest.skip("only the superuser of some machines may mount a disk")
    try:
        result = under_fire("full", disk, 40)
        assert result["found"] == {}
        assert 0 < result["typed"] < result["hits"]  # too little room, then enough
    finally:
        subprocess.run(["umount", disk], check=True)


@contextmanager
def read_only(folder):
    """Root writes wherever permissions forbid it, but not on a disk that is mounted so."""
    if os.geteuid():
        folder.chmod(0o500)
        yield
        folder.chmod(0o700)
        return
    if subprocess.run(["mount", "--bind", folder, folder]).returncode:
        pytest.skip("only the superuser of some machines may mount a disk")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="folders are made read-only as on Linux")
def test_a_read_only_folder(checkpoint, tmp_path):
    ten = checkpoint(tmp_path, 10)
    checkpoints = Checkpoints(tmp_path, 1, ten)
    with read_only(tmp_path):
        with pytest.raises(CheckpointError, match=rf"checkpoint-20: cannot be .* the last good checkpoint is {ten}"):
            checkpoints.save(20, lambda path: (path / "a").write_text("a"))
        assert good_checkpoint(tmp_path, None) == ten
    checkpoints.save(20, lambda path: (path / "a").write_text("a"))
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-20"]


def test_later_checkpoints_of_a_run_that_was_left_are_not_resumed_from(checkpoint, tmp_path):
    """Back to step 10 and on from there: step 40 of before is no later state of this run."""
    ten, told = checkpoint(tmp_path, 10), []
    for number in (1, 2):
        checkpoint(tmp_path, 40)
        run = Checkpoints(tmp_path, None, ten, told.append)
        fifteen = run.save(15, lambda path: (path / "a").write_text("a"))
        assert good_checkpoint(tmp_path, told.append) == fifteen
        assert (tmp_path / f"checkpoint-40-left-{number}" / MANIFEST).is_file()
        assert told.pop().endswith(f"kept as checkpoint-40-left-{number}")
        assert (run.saved, told) == ([ten, fifteen], [])


@pytest.mark.skipif(os.name == "nt", reason="Windows flushes no folders")
def test_all_is_on_the_disk_before_it_has_its_name_and_the_oldest_goes_last(checkpoint, tmp_path, monkeypatch):
    """What survives if the power fails: each flush, each new name, each removal, in this order."""
    parent, ten, done = tmp_path.stat().st_ino, checkpoint(tmp_path, 10), []
    flush, rename = os.fsync, Path.rename

    def note_flush(descriptor):
        done.append(os.fstat(descriptor).st_ino)
        flush(descriptor)

    def note_rename(path, target):
        done.append((path.name, target.name))
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", note_flush)
    monkeypatch.setattr(Path, "rename", note_rename)
    again = partial(shutil.copytree, ten, dirs_exist_ok=True, ignore=shutil.ignore_patterns(MANIFEST))
    saved = Checkpoints(tmp_path, 1, ten).save(20, again)
    files = {path.stat().st_ino for path in saved.iterdir() if path.name != MANIFEST}
    assert len(files) == 8
    assert set(done[:8]) == files
    assert done[8:10] == [(saved / MANIFEST).stat().st_ino, saved.stat().st_ino]
    assert done[10:] == [(".checkpoint-20.tmp", saved.name), parent, (ten.name, ".checkpoint-10.tmp")]


@pytest.fixture(scope="module")
def checkpoint():
    """Writes a checkpoint of a small run, with all that there is in one: a function of folder and step."""
    run = new_run()
    run.tokenizer = with_face(train_characters(["No checkpoint is lost."], 20))
    next(run.feed)

    def write(folder, step):
        write_folder(folder / f"checkpoint-{step}", lambda path: run.write(path, Progress(step)))
        return folder / f"checkpoint-{step}"

    return write


@pytest.mark.parametrize("number", [300, pytest.param(2000, marks=pytest.mark.slow)])
def test_flipped_bytes_and_truncations_are_named_and_the_one_before_is_taken(checkpoint, tmp_path, number):
    older, newest = checkpoint(tmp_path, 10), checkpoint(tmp_path, 20)
    files = sorted(newest.iterdir())
    names = "config model optimizer progress trainer_state training_args tokenizer tokenizer_config manifest".split()
    assert {path.stem for path in files} == set(names)
    rng = random.Random(0)
    for i in range(number):
        path = files[i % len(files)]
        whole = path.read_bytes()
        place = rng.randrange(len(whole))
        if i % 4 == 3:
            path.write_bytes(whole[:place])
        else:
            path.write_bytes(whole[:place] + bytes([whole[place] ^ rng.randrange(1, 256)]) + whole[place + 1 :])
        with pytest.raises(CheckpointError) as error:
            check_folder(newest)
        assert path.name in str(error.value)
        said = []
        assert good_checkpoint(tmp_path, said.append) == older
        assert said == [str(error.value), f"{older} is taken instead, the newest good one"]
        path.write_bytes(whole)
    assert good_checkpoint(tmp_path, None) == newest


def test_a_missing_file_and_a_missing_manifest(checkpoint, tmp_path):
    newest = checkpoint(tmp_path, 20)
    (newest / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"config.json: missing, though manifest.json lists it"):
        good_checkpoint(newest, lambda text: None)
    (newest / MANIFEST).unlink()
    with pytest.raises(CheckpointError, match=r"checkpoint-20.manifest.json: cannot be read"):
        good_checkpoint(newest, lambda text: None)
    shutil.rmtree(newest)
    with pytest.raises(CheckpointError, match="no checkpoint to go on from"):
        good_checkpoint(tmp_path, lambda text: None)


def test_the_checkpoint_that_is_asked_for_is_taken_not_a_newer_one(checkpoint, tmp_path):
    ten, twenty, thirty = (checkpoint(tmp_path, step) for step in (10, 20, 30))
    assert good_checkpoint(twenty, None) == twenty
    (twenty / "progress.json").write_text("")
    assert good_checkpoint(twenty, lambda text: None) == ten
    assert good_checkpoint(tmp_path, None) == thirty


@pytest.mark.parametrize("name", ["../config.json", "/etc/hostname", "a\0b", "..\\config.json"])
def test_a_manifest_names_files_of_its_folder_only(checkpoint, tmp_path, name):
    newest = checkpoint(tmp_path, 20)
    (newest / MANIFEST).write_text(json.dumps({name: {"size": 1, "sha256": "0"}}))
    with pytest.raises(CheckpointError, match=r"manifest.json: damaged, it lists"):
        check_folder(newest)
