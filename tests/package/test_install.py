"""The wheel: what it holds, that it works from an empty folder, and that importing is light."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built with the setuptools that is installed, so that no network is needed."""
    pytest.importorskip("setuptools", reason="building a wheel offline needs setuptools")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{ROOT}", source], check=True)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, source]
    built = subprocess.run(build, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="builds from a clone of the repository")
def test_the_wheel_holds_every_module(wheel):
    assert wheel.name.startswith("minibert_numpy-")
    packed = set(zipfile.ZipFile(wheel).namelist())
    sources = subprocess.run(["git", "ls-files", "minibert", "kernels"], cwd=ROOT, capture_output=True, text=True)
    expected = {f"minibert/{p}" if p.startswith("kernels/") else p for p in sources.stdout.split()}
    assert expected
    assert expected | {"minibert_command.py"} <= packed
    assert not any(name.startswith(("kernels/", "tests/", "notebooks/")) for name in packed)


def test_the_wheel_works_from_anywhere(wheel, tmp_path):
    program = (
        "import minibert, minibert.kernels; "
        "m = minibert.BertModel(minibert.BertConfig.named('bert-tiny', vocab_size=9)); "
        "print(minibert.__file__, minibert.kernels.__file__, m([[1, 2]]).pooler_output.shape)"
    )
    extracted = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(extracted)
    isolated = f"import sys; sys.path.insert(0, {str(extracted)!r}); {program}"
    run = subprocess.run([sys.executable, "-c", isolated], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == [
        str(extracted / "minibert/__init__.py"),
        str(extracted / "minibert/kernels/__init__.py"),
        "(1,",
        "128)",
    ]


def test_an_interrupt_while_it_is_imported_ends_without_a_traceback(tmp_path):
    (tmp_path / "numpy.py").write_text("raise KeyboardInterrupt")
    command = [sys.executable, ROOT / "minibert_command.py", "corpora"]
    run = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (130, "", "minibert: interrupted\n")


def test_importing_leaves_the_heavy_libraries_alone():
    program = (
        "import sys, minibert; "
        "print([m for m in ('numba', 'matplotlib', 'tokenizers', 'scipy', 'torch', 'safetensors') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stderr
