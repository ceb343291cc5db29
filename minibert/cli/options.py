"""Options of a command from the fields of a dataclass, each declared by `minibert.training.arguments.option`."""

from collections.abc import Iterable
from dataclasses import Field
from typing import Literal

from jsonargparse import ArgumentParser


def add_fields(parser: ArgumentParser, fields: Iterable[Field]) -> None:
    """Add `--name` for each field, with its type, default, choices, help, and what it is without a value."""
    for field in fields:
        if field.type is bool:
            about = {"action": "store_true"}
        elif field.type is list:
            about = {"nargs": "+", "default": field.default_factory()}
        else:
            choices = field.metadata.get("choices")
            about = {"type": Literal[choices] if choices else field.type, "default": field.default}
        if "optional_value" in field.metadata:
            about |= {"nargs": "?", "const": field.metadata["optional_value"]}
        parser.add_argument(f"--{field.name}", help=field.metadata["help"], **about)
