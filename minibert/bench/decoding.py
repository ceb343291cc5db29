"""Writing with a GPT-2: one text, token by token, with keys and values kept, beside Hugging Face with its cache.

Both sides have read a prompt of 128 tokens, and each run writes 128 more behind it, always the most probable one. A
token needs every weight once, so what limits it is memory: the row tells what share of a streaming read is reached.
"""

import functools
import time
from importlib.util import find_spec

import numpy as np

from minibert import dispatch
from minibert.bench.rows import Row, Target, ratio
from minibert.bench.steps import fastest, thread_counts
from minibert.bench.timing import Budget, Side, compare
from minibert.dispatch import no_grad
from minibert.models.gpt2 import GPT2Config, GPT2LMHeadModel
from minibert.ops import square_sum

PROMPT, NEW = 128, 128  # tokens
TARGETS = {"gpt2": (Target("times", ">=", 1.2),)}
STREAM_NUMBERS = 64 * 1024 * 1024  # float32, 256 MB: far more than a cache holds


def decoding_rows(name: str, budget: Budget, torch: bool) -> list[Row]:
    """Measure a size of GPT-2 on all sides, one row a side."""
    config = GPT2Config.named(name)
    model = GPT2LMHeadModel(config)
    sides = {"kernels": ("", minibert_side(model, PROMPT, NEW))}
    if torch and find_spec("transformers"):
        from minibert.bench.torch_decoding import variants

        sides["huggingface"] = fastest(variants(model, PROMPT, NEW, thread_counts()))
    seconds = compare({side: made for side, (_, made) in sides.items()}, budget)
    stream, needed = read_bandwidth(), weight_bytes(model)
    rows = []
    for side, (variant, _) in sides.items():
        speed = NEW / seconds[side]
        values = {
            "ms": 1e3 / speed,
            "tokens_per_second": speed,
            "gigabytes_per_second": speed * needed / 1e9,
            "memory_share": speed * needed / stream,
            "times": None if side == "kernels" else ratio(seconds[side], seconds["kernels"]),
        }
        title = f"{name}, {NEW} tokens after {PROMPT}: {'kernels' if side == 'kernels' else 'Hugging Face'}"
        rows.append(Row("decoding", title, values, () if side == "kernels" else TARGETS.get(name, ()), variant))
    return rows


def minibert_side(model: GPT2LMHeadModel, prompt: int, new: int) -> Side:
    """Return our writing; running it returns the tokens, and leaves the cache of the prompt as it was."""
    ids = random_prompt(model.config.vocab_size, prompt)
    first, ready = model.decode(ids, model.new_past(1, prompt + new))

    def run() -> list[int]:
        tokens, past, logits = [], ready, first
        with no_grad():
            for _ in range(new):
                tokens.append(int(logits.argmax()))
                logits, past = model.decode([tokens[-1:]], past)
        return tokens

    return Side(run, functools.partial(dispatch.set_backend, "numba"))


def random_prompt(vocab_size: int, length: int) -> np.ndarray:
    """Return (1, length) ids."""
    return np.random.default_rng(0).integers(0, vocab_size, (1, length))


def weight_bytes(model: GPT2LMHeadModel) -> int:
    """Return what a token reads of the weights: all but the table of positions, of which it takes one row."""
    return (model.num_parameters() - model.params["embeddings"]["position"].size) * model.dtype.itemsize


def read_bandwidth(tries: int = 5) -> float:
    """Return the bytes per second of the fastest streaming read by all threads: a sum over a large array."""
    data, best = np.ones(STREAM_NUMBERS, np.float32), 0.0
    with dispatch.backend("numba"):
        square_sum([data])
        for _ in range(tries):
            start = time.perf_counter()
            square_sum([data])
            best = max(best, data.nbytes / (time.perf_counter() - start))
    return best
