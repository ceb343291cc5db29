"""No file that is opened can run code: the sources call nothing that would execute what they read.

The sources are parsed, not searched: `model.eval()` of PyTorch is no `eval`, and a word in a comment is none either.
"""

import ast
from pathlib import Path

import minibert.kernels
import pytest

import minibert
import minibert_command

SOURCES = [
    path for package in (minibert, minibert.kernels) for path in sorted(Path(package.__file__).parent.rglob("*.py"))
] + [Path(minibert_command.__file__)]
RUNS_CODE = ("eval", "exec", "compile", "__import__")  # built-in functions
PICKLES = ("pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "jsonpickle")
TEMPLATES = ("jinja2", "mako", "tornado.template", "django.template")
HARMLESS = ("pickle.UnpicklingError",)  # kernels/cache.py catches it: Numba pickles its own cache of machine code
SAFE_LOADERS = ("SafeLoader", "CSafeLoader")


def found_in(source):
    """Yield (line, what) of all that could run code out of a file."""
    tree = ast.parse(source)
    modules = imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in RUNS_CODE:
            yield node.lineno, node.id
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((node.lineno, name) for name in names_of(node) if is_forbidden(name, node))
        elif isinstance(node, ast.Attribute):
            name = full_name(node, modules)
            if name.startswith(("torch.load", "yaml.unsafe_load", "yaml.full_load")):
                yield node.lineno, name
            if name.split(".")[0] in PICKLES and name not in HARMLESS:
                yield node.lineno, name
        elif isinstance(node, ast.keyword):
            if node.arg == "allow_pickle" and not is_false(node.value):
                yield node.lineno, "allow_pickle"
            if node.arg == "weights_only" and is_false(node.value):
                yield node.lineno, "weights_only=False"
        elif isinstance(node, ast.Call) and full_name(node.func, modules) in ("yaml.load", "yaml.load_all"):
            loaders = [*node.args[1:], *(k.value for k in node.keywords if k.arg == "Loader")]
            if len(loaders) != 1 or not is_safe_loader(loaders[0], tree):
                yield node.lineno, "yaml.load without a SafeLoader"


def imported(tree):
    """{local name: module} of `import module as name`."""
    aliases = (alias for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names)
    return {alias.asname or alias.name.split(".")[0]: alias.name for alias in aliases}


def names_of(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module}.{alias.name}" for alias in node.names]


def is_forbidden(name, node):
    """A module of pickles may be imported as a whole: which of its names are used is looked at where they are."""
    if name.startswith(TEMPLATES) or name in ("torch.load", "yaml.unsafe_load", "yaml.full_load", "yaml.load"):
        return True
    if name.split(".")[0] in PICKLES:
        return isinstance(node, ast.ImportFrom) and name not in HARMLESS
    return False


def full_name(node, modules):
    """`np.load` as numpy.load; empty for what is not a name."""
    if isinstance(node, ast.Name):
        return modules.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{full_name(node.value, modules)}.{node.attr}"
    return ""


def is_false(node):
    return isinstance(node, ast.Constant) and node.value is False


def is_safe_loader(node, tree):
    """`yaml.SafeLoader`, or a variable that is given nothing else."""
    if isinstance(node, ast.Attribute):
        return node.attr in SAFE_LOADERS
    if isinstance(node, ast.Name):
        assigned = [(target, a.value) for a in ast.walk(tree) if isinstance(a, ast.Assign) for target in a.targets]
        values = [value for target, value in assigned if isinstance(target, ast.Name) and target.id == node.id]
        return bool(values) and all(is_safe_loader(value, tree) for value in values)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
        _, name, default = node.args  # getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        return isinstance(name, ast.Constant) and name.value in SAFE_LOADERS and is_safe_loader(default, tree)
    return False


def test_all_sources_are_looked_at():
    names = {path.name for path in SOURCES}
    assert {"safetensors_file.py", "readers.py", "cache.py", "norm.py", "minibert_command.py"} <= names
    assert len(SOURCES) > 200


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_nothing_runs_code_out_of_a_file(path):
    assert list(found_in(path.read_text(encoding="utf-8"))) == []


VIOLATIONS = [
    "import pickle\npickle.load(file)",
    "import pickle as p\np.loads(data)",
    "import pickle\npickle.Unpickler(file).load()",
    "from pickle import loads",
    "import marshal\nmarshal.loads(data)",
    "import shelve\nshelve.open(path)",
    "import joblib\njoblib.load(path)",
    "eval(text)",
    "run = exec",
    "np.load(path, allow_pickle=True)",
    "np.load(path, allow_pickle=trusted)",
    "import torch as t\nt.load(path)",
    "from torch import load",
    "torch.load(path, weights_only=True)",
    "import yaml\nyaml.load(text)",
    "import yaml\nyaml.load(text, yaml.Loader)",
    "import yaml as y\ny.load(text, Loader=y.FullLoader)",
    "import yaml\nloader = yaml.Loader\nyaml.load(text, loader)",
    'import yaml\nloader = getattr(yaml, "CLoader", yaml.SafeLoader)\nyaml.load(text, loader)',
    "import yaml\nyaml.unsafe_load(text)",
    "from yaml import load",
    "import jinja2",
    "from mako.template import Template",
]
FINE = [
    "import re\nre.compile(pattern)",
    "model.eval()",
    "np.load(path)",
    "np.load(path, allow_pickle=False)",
    "import yaml\nyaml.safe_load(text)",
    'import yaml\nloader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)\nyaml.load(text, loader)',
    "import pickle\ntry:\n    work()\nexcept pickle.UnpicklingError:\n    pass",
    "# pickle.load(file)",
]


@pytest.mark.parametrize("source", VIOLATIONS)
def test_a_planted_violation_is_found(source):
    assert list(found_in(source))


@pytest.mark.parametrize("source", FINE)
def test_what_is_harmless_is_let_through(source):
    assert not list(found_in(source))
