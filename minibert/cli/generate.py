"""Continue a text with a GPT.

The text appears as it is written, then the speed on standard error. For example:
minibert generate runs/gpt2-nano-shakespeare --prompt "ROMEO" --max_new_tokens 200 --temperature 0.8 --top_k 50
"""

import sys
import time
from collections.abc import Iterator
from typing import Any

from jsonargparse import ArgumentParser

from minibert import dispatch
from minibert.cli.backend import add_backend, blas_limits
from minibert.errors import ConfigError


def add_arguments(parser: ArgumentParser) -> None:
    """Add the run, the prompt, and how to choose tokens."""
    parser.add_argument("run", type=str, help="a run folder, or a GPT-2 or GPT checkpoint of Hugging Face")
    parser.add_argument("--prompt", type=str, default="\n", help="the text to continue (default: a line feed)")
    parser.add_argument("--max_new_tokens", type=int, default=200, help="at most so many new tokens")
    parser.add_argument("--temperature", type=float, default=1.0, help="below 1: fewer surprises; 0: none at all")
    parser.add_argument("--top_k", type=int, default=0, help="draw among the k most probable tokens (0: among all)")
    parser.add_argument("--top_p", type=float, default=1.0, help="draw among the fewest tokens with this probability")
    parser.add_argument("--repetition_penalty", type=float, default=1.0, help="above 1: fewer repetitions")
    parser.add_argument("--num_return_sequences", type=int, default=1, help="how many continuations")
    parser.add_argument("--seed", type=int, default=0, help="of the draws")
    add_backend(parser)


def run(args: dict[str, Any]) -> None:
    """Write."""
    from minibert.pipelines.text_generation import TextGeneration

    backend, prompt, most = (args.pop(name) for name in ("backend", "prompt", "max_new_tokens"))
    count, seed = args.pop("num_return_sequences"), args.pop("seed")
    if count < 1:
        raise ConfigError(f"--num_return_sequences must be at least 1, but is {count}")
    if count > 1 and not args["temperature"]:
        raise ConfigError("--num_return_sequences asks for several, but at --temperature 0 all would be the same")
    with dispatch.backend(backend):
        writer = TextGeneration.from_pretrained(args.pop("run"))
        with blas_limits(writer.model):
            for i in range(count):
                if count > 1:
                    print(f"--- {i + 1}")
                show(prompt, writer.stream(prompt, most, seed=seed + i, slide=True, **args))


def show(prompt: str, pieces: Iterator[str]) -> None:
    """Print the prompt and the pieces as they come, then how fast they came, the prompt's time apart."""
    start = time.perf_counter()
    first = next(pieces)
    begin, count = time.perf_counter(), 0
    print(prompt + first, end="", flush=True)
    for piece in pieces:
        print(piece, end="", flush=True)
        count += 1
    seconds = time.perf_counter() - begin
    print(flush=True)
    speed = f", then {count / seconds:,.1f} tokens/s" if count else ""
    print(f"prompt read in {begin - start:.2f} s{speed}", file=sys.stderr)
