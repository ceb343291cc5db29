"""An op's formula and the lines of its source, as they stand in the repository."""

import ast
import inspect
from pathlib import Path
from typing import Any

import minibert
from minibert.dispatch import REFERENCE


def source_of(name: str) -> dict[str, Any]:
    """Return {file, line, doc, code} of the reference of an op: the docstring apart from the code."""
    function = REFERENCE[name]
    lines, first = inspect.getsourcelines(function)
    (definition,) = ast.parse("".join(lines)).body
    docstring = definition.body[0]
    code = [*lines[: docstring.lineno - 1], *lines[docstring.end_lineno :]]
    file = Path(inspect.getsourcefile(function)).relative_to(Path(minibert.__file__).parents[1])
    return {"file": file.as_posix(), "line": first, "doc": inspect.getdoc(function), "code": "".join(code).rstrip()}
