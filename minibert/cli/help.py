"""How `--help` is laid out, and what the parser says of a value of the wrong type."""

import argparse
import re
from itertools import groupby

from jsonargparse import DefaultHelpFormatter

DEFAULT = "default: %(default)s"
KINDS = {"int": "an integer", "float": "a number"}
WRONG_VALUE = re.compile(r'Parser key "([\w.]+)": Expected a (.+?)\. Got value: (.*)')
QUOTED = re.compile("'([^']*)'")


class HelpFormatter(DefaultHelpFormatter):
    """Keeps examples and paragraphs as they are, and says nothing of defaults that are empty."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        parts = []
        for is_example, lines in groupby(text.strip().splitlines(), lambda line: line.startswith("minibert ")):
            if is_example:
                parts.append("\n".join(f"{indent}  {line}" for line in lines))
            else:
                paragraphs = "\n".join(lines).strip().split("\n\n")
                parts += [super(HelpFormatter, self)._fill_text(part, width, indent) for part in paragraphs if part]
        return "\n\n".join(parts)

    def _get_help_string(self, action: argparse.Action) -> str:
        text = super()._get_help_string(action)
        if action.nargs == argparse.ZERO_OR_MORE and not action.option_strings:
            text = text.replace("(required, ", "(")
        return text.replace(f", {DEFAULT}", "") if action.default in ("", []) else text


def readable(message: str) -> str:
    """Return a complaint of the parser in the words of all others, if it is about a value of the wrong type."""
    match = WRONG_VALUE.search(message)
    names = QUOTED.findall(match[2]) if match else []  # in <class 'float'>, or in typing.Literal['numba', 'numpy']
    if not names:
        return message
    wanted = KINDS.get(names[0], names[0]) if "class" in match[2] else f"one of {', '.join(names)}"
    return f"--{match[1]} must be {wanted}, but is {match[3]}"
