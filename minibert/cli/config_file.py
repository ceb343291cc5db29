"""The YAML of `--config`: options by name, as `--print_config` writes them."""

import functools
from collections import Counter
from typing import Any

from jsonargparse import get_loader, set_loader

LONGEST = 2**17  # characters
DEEPEST = 10  # lists in each other: options are numbers, texts and lists of texts


@functools.cache  # once is enough
def read_plain_yaml() -> None:
    """Let jsonargparse refuse YAML that is no list of options before it is in memory."""
    import yaml

    load = get_loader("yaml")

    def load_plain(text: str) -> Any:
        if len(text) > LONGEST:
            raise yaml.YAMLError(f"{len(text):,} characters are too many: is it the right file?")
        try:
            _check(text)
            return load(text)
        except ValueError as error:  # an integer of thousands of digits
            raise yaml.YAMLError(str(error)) from error

    set_loader("yaml", load_plain, (yaml.YAMLError,))


def _check(text: str) -> None:
    """Raise `YAMLError` at what no option needs, and at an option that stands there twice."""
    import yaml

    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise yaml.YAMLError("it is nested without end")
        if isinstance(event, yaml.AliasEvent):  # a few lines of aliases of lists of aliases are a list of any length
            raise yaml.YAMLError("it holds an alias (*name): write the value itself")
        if getattr(event, "tag", None):
            raise yaml.YAMLError(f"it holds a tag ({event.tag:.100}): write the value alone")
    node = yaml.compose(text, yaml.SafeLoader)
    keys = Counter(str(key.value) for key, _ in node.value) if isinstance(node, yaml.MappingNode) else Counter()
    for key, count in keys.items():
        if count > 1:
            raise yaml.YAMLError(f"{key:.100} stands there twice")
