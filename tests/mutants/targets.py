"""The functions in which mistakes are planted, and the tests that should notice."""

import importlib
import inspect
import pkgutil
from types import FunctionType

from minibert.dispatch import REFERENCE

FINETUNING = ["finetuning/test_gradients.py", "finetuning/test_frozen.py"]
TESTS = {
    "ops": ["gradcheck/test_ops.py", "loops/test_ops.py", "finetuning/test_frozen.py"],
    "blocks": [f"gradcheck/test_{name}.py" for name in ("blocks", "classifiers", "pairs")] + FINETUNING,
    "models": [f"gradcheck/test_{name}.py" for name in ("bert", "bert_body", "models", "task_models", "classifiers")],
    "kernels": [
        f"kernels/test_{name}.py"
        for name in ("parity", "row_kernels", "linear_cross_entropy", "pairs", "causal_work", "attention")
    ]
    + ["extremes/test_empty_axes.py", "finetuning/test_frozen.py"],
}
LAST = "finetuning/"  # tests of adapters and frozen parameters reach every function, but are slow
WHOLE_MODULES = {"flash_backward"}  # every function of it belongs to a backward pass
NO_MATHEMATICS = {"is_backward_once", "backward_once", "scratch_layout", "backward"}
ABOUT = {  # modules whose name is not in the names of the tests that are about them
    "flash_backward": "attention",
    "attention_rows": "attention",
    "product": "linear",
    "epilogue": "gelu",
    "gelu_math": "gelu",
    "matmul": "linear",
    "activations": "gelu",
}
ALSO = {"_stepwise_backward": "lora"}
BY_OTHER_NAMES = {"sum_to_shape", "row_product", "_add_sums", "parameter_gradients"}  # what only backward passes call


def functions(folder: str) -> list[FunctionType]:
    """The functions of `minibert.{folder}` that are, or are part of, a backward pass."""
    package = importlib.import_module(f"minibert.{folder}")
    found = {}
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for holder in (module, *(c for _, c in inspect.getmembers(module, inspect.isclass))):
            for function in map(inspect.unwrap, filter(inspect.isfunction, vars(holder).values())):
                if function.__code__.co_name != function.__name__:
                    continue  # `interpreted` has put another in its place
                if function.__module__ == module.__name__ and _counts(info.name, function, holder is module):
                    found[function.__code__] = function
    return sorted(found.values(), key=lambda f: (f.__module__, f.__code__.co_firstlineno))


def _counts(module: str, function: FunctionType, free: bool) -> bool:
    name = function.__name__
    if free and name in NO_MATHEMATICS:
        return False
    return module in WHOLE_MODULES or name in BY_OTHER_NAMES or "backward" in name or "grad" in name


def is_about(test: str, function: FunctionType) -> bool:
    """Whether the name of a test speaks of a function, of its class, or, if it is private, of its module."""
    if function.__name__ in ALSO:
        return ALSO[function.__name__] in test
    module, name = function.__module__.rpartition(".")[2], function.__name__.removesuffix("_backward")
    if "." in function.__qualname__:
        name = function.__qualname__.partition(".")[0]
    elif name.startswith("_") or function.__name__ not in REFERENCE:
        name = ABOUT.get(module, module if name.startswith("_") else name)
    return name in test.rpartition("/")[2]
