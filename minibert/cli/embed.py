"""Turn sentences into vectors, and tell how alike they are.

Two sentences: their cosine similarity. Several: the most similar pairs. With --query: the sentences most like it. With
--output: the vectors, as a NumPy array (.npy) or one JSON object a line (.jsonl, or - for standard output).

minibert embed all-minilm-l6-v2 "A man is eating." "Someone has lunch."
minibert embed all-minilm-l6-v2 --input sentences.txt --query "How do I open a file?"
"""

import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jsonargparse import ArgumentParser

from minibert import dispatch
from minibert.cli.backend import add_backend
from minibert.errors import ConfigError, DataError
from minibert.files import write_whole

MOST_PAIRS = 3000  # sentences of which every pair is compared: 4.5 million pairs


def add_arguments(parser: ArgumentParser) -> None:
    """Add the model, the sentences, and what to do with them."""
    parser.add_argument("model", type=str, help="all-minilm-l6-v2, or a folder of sentence-transformers, BERT, RoBERTa")
    parser.add_argument("sentences", nargs="*", type=str, help="the sentences")
    parser.add_argument("--input", type=str, default="", help="a text file with a sentence a line; - standard input")
    parser.add_argument("--query", type=str, default="", help="print the sentences that are most like this one")
    parser.add_argument("--top_k", type=int, default=10, help="how many pairs or sentences to print")
    parser.add_argument("--output", type=str, default="", help="write the vectors: a .npy or .jsonl file, or -")
    parser.add_argument("--batch_size", type=int, default=0, help="sentences at a time (0: by their tokens)")
    add_backend(parser)


def run(args: dict[str, Any]) -> None:
    """Encode, then print or write."""
    sentences = [*args["sentences"], *(lines_of_file(args["input"]) if args["input"] else ())]
    _check(args, len(sentences))
    from minibert.sentence_encoder import SentenceEncoder

    with dispatch.backend(args["backend"]), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        encoder = SentenceEncoder.from_pretrained(args["model"])
        progress = len(sentences) > 100 and sys.stderr.isatty()
        vectors = encoder.encode(sentences, args["batch_size"] or None, show_progress_bar=progress)
        query = encoder.encode(args["query"]) if args["query"] else None
    for warning in caught:
        print(f"note: {warning.message}", file=sys.stderr)
    if args["output"]:
        write(args["output"], sentences, vectors)
    if query is not None:
        print_nearest(query, sentences, vectors, args["top_k"])
    elif not args["output"]:
        print_pairs(sentences, vectors, args["top_k"])


def _check(args: dict[str, Any], count: int) -> None:
    """Refuse what cannot work before a model is opened."""
    output = args["output"]
    if not count:
        raise DataError("there are no sentences: give some behind the model, or a file with --input")
    if args["top_k"] < 1:
        raise ConfigError(f"--top_k must be at least 1, but is {args['top_k']}")
    if args["batch_size"] < 0:
        raise ConfigError(f"--batch_size must not be negative, but is {args['batch_size']}")
    if output not in ("", "-") and Path(output).suffix not in (".npy", ".jsonl"):
        raise ConfigError(f"--output {output}: must be a .npy or .jsonl file, or - for standard output")
    if output not in ("", "-") and not Path(output).resolve().parent.is_dir():
        raise ConfigError(f"--output {output}: there is no such folder")
    if not output and not args["query"] and not 2 <= count <= MOST_PAIRS:
        raise ConfigError(
            f"pairs are compared among 2 to {MOST_PAIRS:,} sentences, but there are {count:,}: give --query or --output"
        )


def lines_of_file(path: str) -> Iterator[str]:
    """Yield the lines of a file that are not blank."""
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte offset {error.start}: convert the file") from error
    return (line.strip() for line in text.split("\n") if line.strip())


def write(output: str, sentences: list[str], vectors: np.ndarray) -> None:
    """Write the vectors: .npy an array (N, D), otherwise a JSON object a line with `sentence` and `embedding`."""
    if output.endswith(".npy"):
        write_whole(Path(output), lambda path: _save(path, vectors))
        return
    pairs = zip(sentences, vectors.tolist(), strict=True)
    lines = (json.dumps({"sentence": s, "embedding": v}, ensure_ascii=False) + "\n" for s, v in pairs)
    if output == "-":
        sys.stdout.writelines(lines)
    else:
        write_whole(Path(output), lambda path: path.write_text("".join(lines), encoding="utf-8"))


def _save(path: Path, vectors: np.ndarray) -> None:
    with open(path, "wb") as file:  # np.save adds .npy to the name of a path
        np.save(file, vectors)


def print_nearest(query: np.ndarray, sentences: list[str], vectors: np.ndarray, top_k: int) -> None:
    """Print the sentences that are most like the query, each behind its cosine."""
    from minibert.sentence_encoder.similarity import nearest

    for index, score in nearest(query, vectors, top_k):
        print(f"{score:7.4f}  {sentences[index]}")


def print_pairs(sentences: list[str], vectors: np.ndarray, top_k: int) -> None:
    """Print the cosine of two sentences, or those of the most similar pairs of several."""
    from minibert.sentence_encoder.similarity import closest_pairs

    for i, j, score in closest_pairs(vectors, top_k):
        print(f"{score:.4f}" + (f"  {sentences[i]}  |  {sentences[j]}" if len(sentences) > 2 else ""))
