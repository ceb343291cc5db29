"""Measure how fast the kernels are, beside NumPy, PyTorch and Hugging Face.

Single ops, and whole training steps (forward, backward, clipping, AdamW), the same work on every side, taking turns in
one process. PyTorch and Hugging Face take part where the extra `oracle` is installed. Let nothing else run meanwhile.
The targets were set for the default sizes; at other sizes none is shown.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from minibert.bench.cases import OPS
from minibert.bench.process import thread_environment
from minibert.errors import ConfigError
from minibert.models.bert import BertConfig
from minibert.models.gpt2 import GPT2Config


def add_arguments(parser: ArgumentParser) -> None:
    """Add what to measure, at which sizes, and for how long."""
    sizes = ", ".join([*BertConfig.sizes, *GPT2Config.sizes])
    parser.add_argument("--ops", nargs="*", type=str, default=list(OPS), help=f"some of {', '.join(OPS)}; or nothing")
    parser.add_argument("--models", nargs="*", type=str, default=["bert-mini"], help=f"some of {sizes}; or nothing")
    parser.add_argument(
        "--batch_size", type=int, default=0, help="sequences in a batch (0: 16; gpt2-nano 12, gpt2 and bert-base 4)"
    )
    parser.add_argument("--seq_len", type=int, default=0, help="tokens in a sequence (0: 128; gpt2-nano and gpt2 64)")
    parser.add_argument(
        "--vocab_size",
        type=int,
        default=0,
        help="size of the vocabulary (0: 30522; gpt2 50257, gpt2-nano 81 characters)",
    )
    parser.add_argument(
        "--dropout", type=float | None, default=None, help="rate of dropout, on every side (0.1; gpt2-nano 0)"
    )
    parser.add_argument("--repeat", type=int, default=0, help="rounds of a comparison (0: as many as fit in --seconds)")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long to measure a comparison")
    parser.add_argument("--threads", type=int, default=0, help="threads of every library (0: what each chooses)")
    parser.add_argument(
        "--decode", nargs="*", type=str, default=["gpt2"], help="sizes of GPT-2 to write with; or nothing"
    )
    parser.add_argument(
        "--encode",
        nargs="*",
        type=str,
        default=["all-minilm-l6-v2"],
        help="models to embed with; or nothing",
    )
    parser.add_argument("--no_torch", action="store_true", help="leave out PyTorch and Hugging Face")
    parser.add_argument("--cold", action="store_true", help="also measure the first step, with all compilation")
    parser.add_argument(
        "--scaling",
        type=str,
        nargs="?",
        const="bert-base",
        default="",
        help="measure instead how training scales: on 1 and 2 ranks here, and by a model on up to 64 (extra mpi)",
    )
    parser.add_argument("--global_batch", type=int, default=256, help="of the model: sequences in a batch of all ranks")
    parser.add_argument("--bandwidth", type=float, default=1.25, help="of the model: GB/s between any two ranks")
    parser.add_argument("--latency", type=float, default=20.0, help="of the model: microseconds a message")
    parser.add_argument("--json", type=str, default="", help="write every number to this file")
    parser.add_argument("--picture", type=str, default="", help="draw the comparison: a .png, .svg or .pdf file")


def run(args: dict[str, Any]) -> None:
    """Measure, print the tables, write the file."""
    if args["threads"] < 0:
        raise ConfigError(f"--threads must not be negative, but is {args['threads']}")
    for name in ("json", "picture"):
        if args[name] and not Path(args[name]).resolve().parent.is_dir():
            raise ConfigError(f"--{name} {args[name]}: there is no such folder")
    if args["picture"] and Path(args["picture"]).suffix not in (".png", ".svg", ".pdf"):
        raise ConfigError(f"--picture {args['picture']}: must be a .png, .svg or .pdf file")
    if args["scaling"]:
        _scaling(args)
        return
    if args["threads"]:
        _with_threads(args)
        return
    from minibert.bench.run import Plan, bench
    from minibert.bench.sizes import Sizes
    from minibert.bench.table import text
    from minibert.bench.timing import Budget
    from minibert.files import write_json

    sizes = {name: args[name] for name in ("batch_size", "seq_len", "vocab_size", "dropout")}
    plan = Plan(
        ops=args["ops"],
        steps=[Sizes(model, **sizes) for model in args["models"]],
        sizes=Sizes(**sizes),
        budget=Budget(args["seconds"], args["repeat"]),
        torch=not args["no_torch"] and find_spec("torch") is not None,
        cold=args["cold"],
        decode=args["decode"],
        encode=args["encode"],
    )
    report = bench(plan)
    print(text(report))
    if args["json"]:
        write_json(Path(args["json"]), report.to_dict())
    if args["picture"]:
        from minibert.bench.picture import draw

        draw(report.to_dict(), Path(args["picture"]))


def _scaling(args: dict[str, Any]) -> None:
    from minibert.bench.scaling import Plan, draw, scaling, text
    from minibert.bench.scaling_model import Network
    from minibert.bench.sizes import Sizes
    from minibert.files import write_json

    sizes = Sizes(args["scaling"], **{name: args[name] for name in ("batch_size", "seq_len", "vocab_size", "dropout")})
    network = Network(args["bandwidth"] * 1e9, args["latency"] * 1e-6)
    result = scaling(Plan(sizes, args["repeat"] or 5, args["global_batch"], network))
    print(text(result))
    if args["json"]:
        write_json(Path(args["json"]), result.to_dict())
    if args["picture"]:
        draw(result, Path(args["picture"]))


def _with_threads(args: dict[str, Any]) -> None:
    """Run the same command in a process in which every library reads its number of threads at import."""
    command = [sys.executable, "-m", "minibert", "bench"]
    for name, value in args.items():
        if name != "threads" and value is not None and value is not False and value != "":
            words = [] if value is True else value if isinstance(value, list) else [value]
            command += [f"--{name}", *map(str, words)]
    done = subprocess.run(command, env={**os.environ, **thread_environment(args["threads"])})
    if done.returncode:
        sys.exit(done.returncode)
