"""The gradient's norm, layer by layer: whether gradients vanish or explode on their way down."""

import math

import numpy as np

from minibert.ops import square_sum
from minibert.tree import Tree, flatten


def layer_of(name: str) -> str:
    """Return the layer that a parameter belongs to, or what it belongs to outside of the layers.

    "encoder.layers.0.attention.qkv.weight" is of "encoder.layers.0", "pooler.weight" of "pooler".
    """
    keys = name.split(".")
    return ".".join(keys[: keys.index("layers") + 2]) if "layers" in keys else keys[0]


def grad_norms_by_layer(grads: Tree) -> dict[str, float]:
    """Return the norm of the gradients of each layer, from the embeddings upwards.

    Their squares add up to the square of the global norm. A layer without a gradient is left out.
    """
    layers: dict[str, list[np.ndarray]] = {}
    for name, gradient in flatten(grads).items():
        if gradient is not None:
            layers.setdefault(layer_of(name), []).append(gradient)
    return {layer: math.sqrt(square_sum(gradients)) for layer, gradients in layers.items()}
