"""Guess the words behind [MASK].

For each [MASK] (of RoBERTa: <mask>) in the text it prints the most probable tokens with their probabilities:
minibert fill-mask runs/bert-tiny-python-docs "The [MASK] statement is used to define a function."
"""

from typing import Any

from jsonargparse import ArgumentParser

from minibert import dispatch
from minibert.cli.backend import add_backend


def add_arguments(parser: ArgumentParser) -> None:
    """Add the run, the text and the number of guesses."""
    parser.add_argument("run", type=str, help="a run folder, or a checkpoint of BERT or RoBERTa")
    parser.add_argument("text", type=str, help="text with [MASK] or <mask> in place of each word to guess")
    parser.add_argument("--top_k", type=int, default=5, help="how many guesses to print")
    add_backend(parser)


def run(args: dict[str, Any]) -> None:
    """Print the guesses."""
    from minibert.pipelines.fill_mask import FillMask

    with dispatch.backend(args["backend"]):
        guesses = FillMask.from_pretrained(args["run"]).guess(args["text"], args["top_k"])
    for number, mask in enumerate(guesses, 1):
        if len(guesses) > 1:
            print(f"mask {number}")
        for guess in mask:
            token, text = (" ".join(guess[name].split()) for name in ("token_str", "sequence"))
            print(f"{guess['score']:7.2%}  {token:<16} {text}")
