"""Writing with a causal language model: token by token, with what was read before kept as keys and values.

It knows what such a model offers (`decode`, `new_past`, `config`), no particular one.
"""

from minibert.generation.generate import generate, stream

__all__ = ["generate", "stream"]
