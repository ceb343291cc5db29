"""List the named corpora with their sizes and licences, and the named data sets with labels."""

from typing import Any

from jsonargparse import ArgumentParser

from minibert.data.corpora import CORPORA
from minibert.datasets.named import NAMED


def add_arguments(parser: ArgumentParser) -> None:
    """There are none."""


def run(args: dict[str, Any]) -> None:
    """Print one corpus a line."""
    for corpus in CORPORA.values():
        source = "offline" if corpus.package is None else f"{corpus.size / 1e6:.1f} MB"
        print(f"{corpus.name}  ({source}, licence: {corpus.licence})\n    {corpus.description}")
    print("\nUse one with: minibert pretrain --corpus NAME\n\nWith labels:")
    for name, named in NAMED.items():
        parts = f", parts: {', '.join(named.parts)}" if len(named.parts) > 1 else ""
        print(f"{name}\n    {named.description}{parts}")
    print('\nUse one with: minibert finetune MODEL --data NAME, or from Python minibert.load_dataset("NAME")')
