"""Check every hand-written gradient of a small BERT against finite differences.

Each parameter is moved a little, the loss is computed anew, and the slope is compared with what the
backward pass says: both losses, dropout on, in float64. The last column should be below 1e-6.
"""

from typing import Any, Literal

import numpy as np
from jsonargparse import ArgumentParser

from minibert import dispatch
from minibert.errors import ConfigError, MinibertError
from minibert.gradcheck import GradientError, check_direction, check_gradients
from minibert.models.bert import BertConfig
from minibert.models.bert_heads import BertForPreTraining
from minibert.tree import Tree

TOLERANCE = 1e-6


def add_arguments(parser: ArgumentParser) -> None:
    """Add the size of the check."""
    parser.add_argument("--samples", type=int, default=10, help="elements of each parameter to check (0: all of them)")
    parser.add_argument("--seed", type=int, default=0, help="of the weights, the batch and the choice of elements")
    backends = Literal[dispatch.BACKENDS]
    parser.add_argument("--backend", type=backends, default="numpy", help="whose backward passes to check")


def run(args: dict[str, Any]) -> None:
    """Print one parameter a line, then random directions through all of them; fail if one is wrong."""
    for name in ("samples", "seed"):
        if args[name] < 0:
            raise ConfigError(f"--{name} must not be negative, but is {args[name]}")
    print("loss = MLM + NSP of a BERT with 2 layers, 12 wide, 3 heads; slope of the loss by one element:\n")
    print(f"{'parameter':<44} {'shape':>9} {'checked':>8} {'backward pass':>14} {'difference':>14} {'rel. error':>11}")
    with dispatch.backend(args["backend"]):
        errors = list(check(args["samples"] or None, args["seed"]))
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


def check(samples: int | None, seed: int) -> list[GradientError]:
    """Return the worst element of each parameter's gradient, and three random directions."""
    config = BertConfig(
        vocab_size=23,
        hidden_size=12,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=20,
        max_position_embeddings=9,
        initializer_range=0.3,  # large enough that every term of the gradient counts
    )
    model = BertForPreTraining(config, seed, "float64")
    params, batch = model.params, _batch(seed)

    def loss(moved: Tree) -> float:
        model.params = moved
        return model.losses_and_grads(batch, (seed, 1))[0].total

    _, grads = model.losses_and_grads(batch, (seed, 1))
    errors = check_gradients(loss, params, grads, samples, seed)
    for i in range(3):
        errors.append(check_direction(loss, params, grads, seed + i)._replace(name=f"random direction {i + 1}"))
    return errors


def _batch(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, 23, (3, 7))
    return {
        "input_ids": ids,
        "attention_mask": np.arange(7) < np.array([[7], [5], [6]]),
        "token_type_ids": np.tile(np.arange(7) > 3, (3, 1)).astype(int),
        "labels": np.where(rng.random((3, 7)) < 0.4, ids, -100),
        "next_sentence_label": np.array([0, 1, 1]),
    }
