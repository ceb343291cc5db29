"""Compiled kernels are kept between runs, are never stale, and several processes may share them."""

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from minibert.kernels import cache, compile, progress
from numba import prange

import minibert

PROBE = """
from minibert.kernels.compile import kernel
from minibert.kernels.probe_helper import number
from numba import prange

@kernel("w1")
def fill(x):
    for i in prange(len(x)):
        x[i] = number()
"""
HELPER = """
from minibert.kernels.compile import inline

@inline
def number():
    return {}
"""
USER = """
import numba, numpy as np
from minibert.kernels.probe import fill

@numba.njit(cache=True)
def mine(x):
    return x + 1

x = np.zeros(5)
fill(x.dtype)(x)
print(x.sum(), mine(1))
"""


def run(script, folder, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "MINIBERT_"))}
    environment = {**clean, "PYTHONPATH": str(folder), "XDG_CACHE_HOME": str(folder / "cache"), **environment}
    return subprocess.Popen(
        [sys.executable, script], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process):
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out, err


@pytest.fixture
def package(tmp_path):
    """A copy of the package with one kernel more, whose helper is in another file."""
    ignore = shutil.ignore_patterns("__pycache__", "kernels")
    shutil.copytree(Path(minibert.__file__).parent, tmp_path / "minibert", ignore=ignore)
    shutil.copytree(Path(cache.__file__).parent, tmp_path / "minibert/kernels", ignore=ignore)
    (tmp_path / "minibert/kernels/probe.py").write_text(PROBE)
    (tmp_path / "minibert/kernels/probe_helper.py").write_text(HELPER.format(1))
    (tmp_path / "user.py").write_text(USER)
    return tmp_path


def test_an_edit_of_a_helper_in_another_file_is_noticed(package):
    results = []
    for number in (1, 1, 2):
        (package / "minibert/kernels/probe_helper.py").write_text(HELPER.format(number))
        results.append(finish(run(package / "user.py", package)))
    (one, compiled), (again, loaded), (two, recompiled) = results
    assert (one, again, two) == ("5.0 2\n", "5.0 2\n", "10.0 2\n")
    assert progress.HINT in compiled
    assert loaded == ""
    assert progress.HINT in recompiled
    assert len(list((package / "cache/minibert").glob("kernels-*"))) == 2
    assert list((package / "__pycache__").glob("user.mine*.nbi"))  # the user's functions stay where they were


def test_the_users_own_choice_of_a_folder(package):
    finish(run(package / "user.py", package, NUMBA_CACHE_DIR=str(package / "mine")))
    assert list((package / "mine/minibert").glob("kernels-*/probe.fill*.nbi"))
    assert not (package / "cache").exists()


def test_processes_that_start_together_share_an_empty_cache(package):
    """One compiles, the others wait for it."""
    processes = [run(package / "user.py", package) for _ in range(3)]
    results = [finish(process) for process in processes]
    assert {out for out, _ in results} == {"5.0 2\n"}
    assert sum(progress.HINT in err for _, err in results) == 1


STEPS = """
import hashlib, minibert, numpy as np
from minibert.tree import flatten
minibert.set_backend("numba")
config = minibert.BertConfig.named("bert-tiny", vocab_size=50, hidden_size=16, intermediate_size=24)
model = minibert.BertForPreTraining(config, seed=0)
optimizer = minibert.AdamW(model.params, lr=1e-3, weight_decay=0.01)
ids = np.arange(32).reshape(2, 16)
for step in range(2):
    loss, grads = model.loss_and_grads(input_ids=ids, labels=ids, next_sentence_label=[0, 1], dropout_key=(0, step))
    optimizer.step(grads, max_grad_norm=1.0)
print(hashlib.sha256(b"".join(a.tobytes() for a in flatten(model.params).values())).hexdigest())
"""


@pytest.mark.slow
def test_training_in_three_processes_with_an_empty_cache(package):
    (package / "steps.py").write_text(STEPS)
    results = [finish(process) for process in [run(package / "steps.py", package) for _ in range(3)]]
    assert len({out for out, _ in results}) == 1


@pytest.mark.slow
def test_compiling_ahead_leaves_nothing_to_the_first_step(package):
    (package / "steps.py").write_text(STEPS)
    (package / "ahead.py").write_text("from minibert.cli import main; main(['compile', '--workers', '2'])")
    out, _ = finish(run(package / "ahead.py", package))
    assert "kernels for float32 ready" in out
    _, err = finish(run(package / "steps.py", package))
    assert err == ""


def test_old_folders_go(tmp_path):
    folders = [tmp_path / f"kernels-{i}" for i in range(5)]
    for i, folder in enumerate(folders):
        folder.mkdir()
        (folder / "a.nbc").write_text("machine code")
        os.utime(folder, (1000 + i, 1000 + i))
    other = tmp_path / "tokens"
    other.mkdir()
    cache.forget_old(folders[1])  # in use, though it is old
    assert {path.name for path in tmp_path.iterdir()} == {"kernels-1", "kernels-3", "kernels-4", "tokens"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def make(monkeypatch):
    """Make a kernel that the rest of the process does not know; each is new to Numba."""
    monkeypatch.setattr(compile, "KERNELS", [])

    def make():
        @compile.kernel("w1")
        def count(x):
            for i in prange(len(x)):
                x[i] = i

        return count

    return make


def works(kernel):
    x = np.empty(4)
    kernel(x.dtype)(x)
    return x.tolist() == [0, 1, 2, 3]


def test_where_nothing_can_be_written_kernels_are_compiled_in_memory(tmp_path, monkeypatch, make, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "file"))
    assert cache.folder.__wrapped__() is None
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"minibert: {tmp_path}")
    assert "set NUMBA_CACHE_DIR" in line
    monkeypatch.setattr(cache, "folder", lambda: None)
    assert works(make())


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("left", [0, 100])
def test_a_damaged_file_is_compiled_anew(folder, make, capsys, ending, left):
    assert works(make())
    (path,) = folder.glob(f"*.{ending}")
    path.write_bytes(path.read_bytes()[:left])
    assert works(make())
    assert path.stat().st_size > 100
    capsys.readouterr()
    progress._announced = False
    assert works(make())
    assert capsys.readouterr().err == ""


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_on_a_terminal(folder, make, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert works(make())
    shown = sys.stderr.getvalue()
    assert f"{progress.HINT}: test_cache.count (1 of at most 1)" in shown
    assert shown.endswith("\r\x1b[K")  # gone when it is done
    assert "\n" not in shown
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert works(make())
    assert sys.stderr.getvalue() == ""  # it came from the cache


def test_progress_in_a_file_is_one_line(folder, make, monkeypatch, capsys):
    monkeypatch.setattr(progress, "_announced", False)
    kernel = make()
    for dtype in (np.float32, np.float64):
        kernel(np.dtype(dtype))
    assert capsys.readouterr().err == f"{progress.HINT} ...\n"


def test_quiet(folder, make, monkeypatch, capsys):
    monkeypatch.setattr(progress, "_announced", False)
    monkeypatch.setenv("MINIBERT_QUIET", "1")
    assert works(make())
    assert capsys.readouterr().err == ""


def test_only_two_dtypes(make):
    with pytest.raises(TypeError, match="float32 and float64, but the array is int64"):
        make()(np.dtype(np.int64))
