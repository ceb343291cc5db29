"""Sentences of mixed length into vectors, beside PyTorch: the same tokens, sorted by length on both sides.

A real model, if it has been fetched. The texts are cut out of Python's own documentation. Both sides begin with
strings and end with arrays, and PyTorch may choose among several sizes of batches, which it pads.
"""

import functools
from importlib.util import find_spec

import numpy as np

from minibert import dispatch
from minibert.bench.rows import Row, Target, ratio
from minibert.bench.steps import fastest, thread_counts
from minibert.bench.timing import Budget, Side, compare
from minibert.data.corpora import corpus_documents
from minibert.data.released_models import RELEASED_MODELS, is_kept, kept_folder
from minibert.errors import ConfigError
from minibert.models.bert import BertConfig
from minibert.sentence_encoder import SentenceEncoder

SENTENCES = 1000
WORDS = 3, 60  # in a sentence: every number as often
TARGETS = {"all-minilm-l6-v2": (Target("times", ">=", 1.3),)}


def check_name(name: str) -> None:
    """Raise `ConfigError` for a name that is none."""
    if name not in RELEASED_MODELS:
        raise ConfigError(f"no model named {name!r} to encode with: choose among {', '.join(RELEASED_MODELS)}")


def missing(names: list[str]) -> list[str]:
    """Return a note for each model that has not been fetched: it is left out."""
    lacking = [name for name in names if not is_kept(RELEASED_MODELS[name])]
    return [f"encoding with {name} was left out, its weights are not here: minibert fetch {name}" for name in lacking]


def encoding_rows(name: str, budget: Budget, torch: bool) -> list[Row]:
    """Measure a model on all sides, one row a side; none if it has not been fetched."""
    if not is_kept(RELEASED_MODELS[name]):
        return []
    encoder = SentenceEncoder.from_pretrained(kept_folder(RELEASED_MODELS[name]))
    sentences = random_sentences(SENTENCES)
    sides = {"kernels": ("", minibert_side(encoder, sentences))}
    if torch and find_spec("transformers"):
        from minibert.bench.torch_encoding import BATCH_SIZES, variants

        some = every_fourth_batch(encoder, sentences, max(BATCH_SIZES))
        variant, _ = fastest(variants(encoder, some, thread_counts()), tries=1)
        sides["torch"] = variant, variants(encoder, sentences, thread_counts())[variant]
    seconds = compare({side: made for side, (_, made) in sides.items()}, budget)
    lengths = np.array([len(row) for row in encoder.tokenizer(sentences)["input_ids"]])
    rows = []
    for side, (variant, _) in sides.items():
        values = {
            "ms": 1e3 * seconds[side],
            "tokens_per_second": lengths.sum() / seconds[side],
            "gflops": forward_flops(encoder.model.config, lengths) / seconds[side] / 1e9,
            "times": None if side == "kernels" else ratio(seconds[side], seconds["kernels"]),
        }
        title = f"{name}, {len(sentences)} sentences: {'kernels' if side == 'kernels' else 'PyTorch'}"
        rows.append(Row("encoding", title, values, () if side == "kernels" else TARGETS.get(name, ()), variant))
    return rows


def minibert_side(encoder: SentenceEncoder, sentences: list[str]) -> Side:
    """Return our encoding; running it returns the vectors."""
    return Side(lambda: encoder.encode(sentences), functools.partial(dispatch.set_backend, "numba"))


def random_sentences(count: int) -> list[str]:
    """Return pieces of Python's documentation, of `WORDS` words each, every number as often, in no order."""
    words = " ".join(corpus_documents("python-docs")).split()
    rng = np.random.default_rng(0)
    lengths = rng.integers(WORDS[0], WORDS[1], count, endpoint=True)
    starts = rng.integers(0, len(words) - WORDS[1], count)
    return [" ".join(words[start : start + length]) for start, length in zip(starts, lengths, strict=True)]


def every_fourth_batch(encoder: SentenceEncoder, sentences: list[str], size: int) -> list[str]:
    """Return the sentences of every fourth batch of all of them, sorted by length: a quarter of the work.

    Batches of `size`, or of what divides it, are padded there as they are among all sentences, so that the size
    which is best there is the best.
    """
    order = np.argsort([len(row) for row in encoder.tokenizer(sentences)["input_ids"]], kind="stable")
    starts = range(size, len(order) - size + 1, 4 * size)
    return [sentences[i] for start in starts for i in order[start : start + size]] or sentences


def forward_flops(config: BertConfig, lengths: np.ndarray) -> int:
    """The matrix products that sentences need, a multiplication and an addition each, none of them for padding.

    layers       2 T (4 D^2 + 2 D F) each, for T tokens
    attention    4 T^2 D each
    """
    D, F = config.hidden_size, config.intermediate_size
    per_layer = 2 * lengths.sum() * (4 * D * D + 2 * D * F) + 4 * (lengths**2).sum() * D
    return config.num_hidden_layers * int(per_layer)
