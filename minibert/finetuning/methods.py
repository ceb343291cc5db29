"""Which of a model's own parameters train: all, or a part of them.

Each method is a rule on the dotted names of the parameter tree. What a task brings, its head, always trains.
"""

import re
from collections.abc import Callable

from minibert.errors import ConfigError
from minibert.finetuning.peft_names import has_adapter
from minibert.frozen import freeze
from minibert.models.base import Model

BODY = ("embeddings", "encoder", "decoder", "final_norm")  # what pre-training leaves; all else is a head

METHODS: dict[str, Callable[[str], bool]] = {
    "full": lambda name: True,
    # feature extraction: the body is a fixed function of the text. See `minibert.finetuning.features`.
    "head": lambda name: False,
    "feed-forward": lambda name: ".feed_forward." in name,
    # BitFit (Ben Zaken, Goldberg & Ravfogel 2021, arXiv:2106.10199): b of projections, beta of normalisations
    "bias": lambda name: re.search(r"\.(bias|beta)$", name) is not None,
}


def is_head(name: str) -> bool:
    """Return whether a parameter belongs to a head. BERT's pooler does: it stands between the body and a classifier."""
    return name.split(".")[0] not in BODY


def adapt(model: Model, method: str) -> Model:
    """Freeze all parameters that `method` does not train, and return the model.

    Parameters
    ----------
    model : Model
        Its `params` become another tree with the same memory: make the optimizer afterwards.
    method : {"full", "head", "feed-forward", "bias"}
        "full" thaws everything. In each, the heads train. LoRA and prompt tuning add parameters: see
        `minibert.finetuning.peft_model.get_peft_model`.

    Raises
    ------
    ConfigError
        If there is no such method, or nothing is left to train.
    """
    if has_adapter(model.params):
        raise ConfigError("the model has an adapter, which says what trains: merge_and_unload() it first")
    if method not in METHODS:
        raise ConfigError(f"no method named {method!r}: choose one of {', '.join(METHODS)}")
    rule = METHODS[method]
    params = freeze(model.params, lambda name: is_head(name) or rule(name))
    if method == "head" and not any(is_head(f"{part}.") for part in params):
        raise ConfigError(f"{type(model).__name__} has no head to train: use a class with one, or another method")
    model.params = params
    return model
