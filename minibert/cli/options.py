"""Options of a command from the fields of a dataclass, each declared by `minibert.training.arguments.option`."""

from collections.abc import Iterable, Mapping
from dataclasses import Field
from typing import Literal

from jsonargparse import ArgumentParser


def add_fields(parser: ArgumentParser, fields: Iterable[Field], groups: Mapping[str, str]) -> None:
    """Add `--name` for each field, with its type, default, choices, help, and what it is without a value.

    `groups` are the headings of the help, each with the names of its fields.
    """
    added = {title: parser.add_argument_group(title) for title in groups}
    group_of = {name: added[title] for title, names in groups.items() for name in names.split()}
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
        group_of[field.name].add_argument(f"--{field.name}", help=field.metadata["help"], **about)
