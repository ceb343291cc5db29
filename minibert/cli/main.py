"""Parse the command line, run the command, and turn errors into one line."""

import importlib
import sys
from typing import NoReturn

import numpy as np
from jsonargparse import ArgumentParser

import minibert
from minibert.cli.config_file import read_plain_yaml
from minibert.cli.help import HelpFormatter, readable
from minibert.distributed import world
from minibert.errors import ConfigError, MinibertError, TrainingStopped

COMMANDS = {  # name -> module; a module is imported when the parser is made, so it imports what is heavy in run()
    "pretrain": "pretrain",
    "fill-mask": "fill_mask",
    "generate": "generate",
    "embed": "embed",
    "finetune": "finetune",
    "evaluate": "evaluate",
    "predict": "predict",
    "compare": "compare",
    "fetch": "fetch",
    "plot": "plot",
    "info": "info",
    "gradcheck": "gradcheck",
    "corpora": "corpora",
    "bench": "bench",
    "study": "study",
    "compile": "compile",
}
PARALLEL = ("pretrain",)  # may be started by mpiexec on several ranks


class Parser(ArgumentParser):
    """A parser whose complaints are one line, like all others."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print what is wrong and exit with code 2."""
        print(f"minibert: {readable(' '.join(message.split()))} (see minibert --help)", file=sys.stderr)
        sys.exit(2)


@np.errstate(all="ignore")  # what is not finite is found where it matters, and said in a line
def main(argv: list[str] | None = None) -> int:
    """Run one command; return the exit code: 0, 2 for a mistake of the user, 128 + signal when interrupted."""
    try:
        with world() as ranks:
            commands = {name: importlib.import_module(f"minibert.cli.{module}") for name, module in COMMANDS.items()}
            name, arguments = _parse(commands, argv)
            if ranks.size > 1 and name not in PARALLEL:
                raise ConfigError(f"{name} runs in one process: start it without mpiexec")
            commands[name].run(arguments)
    except MinibertError as error:
        print(f"minibert: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except TrainingStopped as stopped:
        print(f"minibert: {stopped}", file=sys.stderr)
        return 128 + stopped.number  # as a shell reports a process that a signal ended
    except KeyboardInterrupt:
        print("minibert: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output, for example `head`, has seen enough
        sys.stderr.close()
        return 0
    except OSError as error:  # a file or folder that cannot be read or written
        print(f"minibert: {error.filename or 'file error'}: {error.strerror or error}", file=sys.stderr)
        return 2
    return 0


def _parse(commands: dict, argv: list[str] | None) -> tuple[str, dict]:
    read_plain_yaml()
    parser = Parser(
        prog="minibert",
        description="Transformer pre-training from scratch in NumPy.",
        version=minibert.__version__,
        formatter_class=HelpFormatter,  # of the commands too
    )
    subcommands = parser.add_subcommands(title="commands", metavar="COMMAND", required=True)
    for name, command in commands.items():
        subparser = Parser(description=command.__doc__)
        command.add_arguments(subparser)
        subcommands.add_subcommand(name, subparser, help=command.__doc__.splitlines()[0])
    try:
        parsed = parser.parse_args(argv).as_dict()
    except UnicodeDecodeError as error:
        parser.error(f"--config: invalid UTF-8 at byte offset {error.start}; save it as UTF-8")
    name = parsed["subcommand"]
    return name, parsed[name]


if __name__ == "__main__":
    sys.exit(main())
