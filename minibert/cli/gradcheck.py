"""Check every hand-written gradient of a small model against finite differences.

Each parameter is moved a little, the loss is computed anew, and the slope is compared with what the
backward pass says: all losses, dropout on, in float64. The last column should be below 1e-6.
"""

from typing import Any, Literal

from jsonargparse import ArgumentParser

from minibert import dispatch
from minibert.cli.backend import add_backend, compile_ahead
from minibert.cli.small_models import MODELS, small_model
from minibert.errors import ConfigError, MinibertError
from minibert.gradcheck import GradientError, check_direction, check_gradients
from minibert.models.base import Model
from minibert.tree import Tree

TOLERANCE = 1e-6


def add_arguments(parser: ArgumentParser) -> None:
    """Add the size of the check."""
    parser.add_argument("--model", type=Literal[tuple(MODELS)], default="bert", help="which kind of model to check")
    parser.add_argument("--samples", type=int, default=10, help="elements of each parameter to check (0: all of them)")
    parser.add_argument("--seed", type=int, default=0, help="of the weights, the batch and the choice of elements")
    add_backend(parser, "whose backward passes to check")


def run(args: dict[str, Any]) -> None:
    """Print one parameter a line, then random directions through all of them; fail if one is wrong."""
    for name in ("samples", "seed"):
        if args[name] < 0:
            raise ConfigError(f"--{name} must not be negative, but is {args[name]}")
    small = small_model(args["model"], args["seed"])
    compile_ahead(args["backend"], "float64")
    print(f"loss = {small.title}; slope of the loss by one element:\n")
    print(f"{'parameter':<44} {'shape':>9} {'checked':>8} {'backward pass':>14} {'difference':>14} {'rel. error':>11}")
    with dispatch.backend(args["backend"]):
        errors = check(small.model, small.batch, args["samples"] or None, args["seed"])
    for error in errors:
        shape = "x".join(map(str, error.shape))
        numbers = f"{error.analytic:14.6e} {error.numeric:14.6e} {error.relative_error:11.1e}"
        print(f"{error.name:<44} {shape:>9} {error.checked:>8} {numbers}")
    wrong = [error for error in errors if not error.relative_error <= TOLERANCE]  # NaN is wrong too
    if wrong:
        first = wrong[0]
        raise MinibertError(
            f"{len(wrong)} of these are wrong, first {first.name}: relative error {first.relative_error:.1e} at "
            f"element {first.index}"
        )
    worst = max(errors, key=lambda error: error.relative_error)
    print(f"\nAll gradients agree: the worst relative error is {worst.relative_error:.1e}, of {worst.name}")


def check(model: Model, batch: dict[str, Any], samples: int | None, seed: int) -> list[GradientError]:
    """Return the worst element of each parameter's gradient, and three random directions."""
    params = model.params

    def loss(moved: Tree) -> float:
        model.params = moved
        return model.losses_and_grads(batch, (seed, 1))[0].total

    _, grads = model.losses_and_grads(batch, (seed, 1))
    errors = check_gradients(loss, params, grads, samples, seed)
    for i in range(3):
        errors.append(check_direction(loss, params, grads, seed + i)._replace(name=f"random direction {i + 1}"))
    return errors
