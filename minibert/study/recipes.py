"""How each method trains. Whatever is chosen here is chosen on the validation part, never on the test part.

A recipe with several learning rates trains with each, and the one with the highest validation accuracy is tested. What
trains long has one, found with few labels.
"""

from typing import NamedTuple

LORA = {"r": 8, "lora_alpha": 16, "target_modules": ["query", "key", "value", "attention.output.dense"]}
VIRTUAL_TOKENS = 20
WARMUP = 0.06  # share of the steps
WEIGHT_DECAY = 0.01
DROPOUT = 0.1


class Recipe(NamedTuple):
    """Options of one run of the `Trainer`."""

    learning_rates: tuple[float, ...]
    epochs: int
    batch_size: int


SMALL = {  # of our own model, of 128 numbers a token
    ("full", "100"): Recipe((3e-4, 1e-3), 10, 8),
    ("full", "1000"): Recipe((1e-4, 3e-4, 1e-3), 5, 16),
    ("full", "all"): Recipe((5e-4,), 2, 16),
    ("lora", "100"): Recipe((1e-3, 5e-3), 10, 8),
    ("lora", "1000"): Recipe((1e-3, 5e-3), 5, 16),
    ("lora", "all"): Recipe((2e-3,), 1, 16),
    ("features", "100"): Recipe((3e-3, 1e-2, 3e-2), 50, 8),
    ("features", "1000"): Recipe((3e-3, 1e-2, 3e-2), 20, 16),
    ("features", "all"): Recipe((3e-3, 1e-2, 3e-2), 5, 16),
    ("prompt", "100"): Recipe((1e-2, 5e-2), 10, 8),
    ("prompt", "1000"): Recipe((1e-2, 5e-2), 5, 16),
    ("prompt", "all"): Recipe((2e-2,), 1, 16),
}
MINILM = {
    ("full", "100"): Recipe((1e-4,), 5, 8),
    ("full", "1000"): Recipe((1e-4,), 2, 16),
    ("full", "all"): Recipe((1e-4,), 1, 16),
    ("lora", "100"): Recipe((2e-3,), 8, 8),
    ("lora", "1000"): Recipe((2e-3,), 2, 16),
    ("lora", "all"): Recipe((1e-3,), 1, 16),
    ("features", "100"): Recipe((3e-3, 1e-2, 3e-2), 50, 8),
    ("features", "1000"): Recipe((3e-3, 1e-2, 3e-2), 20, 16),
    ("features", "all"): Recipe((3e-3, 1e-2, 3e-2), 5, 16),
    ("prompt", "100"): Recipe((2e-2,), 8, 8),
    ("prompt", "1000"): Recipe((2e-2,), 3, 16),
    ("prompt", "all"): Recipe((1e-2,), 1, 16),
}
RECIPES = {"scratch": SMALL, "pretrained": SMALL, "minilm": MINILM}
