"""The command line: `minibert pretrain`, `fill-mask`, `plot`, `info`, `gradcheck`, `corpora`.

Each command is a module with `add_arguments(parser)` and `run(args)`; its docstring is its help.
"""

from minibert.cli.main import main

__all__ = ["main"]
