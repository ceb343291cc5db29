"""Feature extraction: the body is frozen, so each text passes through it once and the head learns from what came out.

A `TaskModel` calls `self.body` and `self.body_backward`; here both are replaced, on one model, by a memory of results
and by nothing to do. From the second epoch on a step costs what the head costs.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minibert.dispatch import no_grad
from minibert.errors import ConfigError
from minibert.finetuning.methods import adapt
from minibert.models.base import Model
from minibert.tree import Tree


class RememberedBody:
    """A body, as `bert` or `gpt2`, that computes no text twice.

    Parameters
    ----------
    body : callable
        (inputs, params, config, key) -> hidden states, cache.
    summary : callable, optional
        hidden (B, T, D), inputs -> (B, D): all that the head reads of each text, and so all that is kept. By default
        every position is kept, T D numbers a text instead of D.
    """

    def __init__(self, body: Callable, summary: Callable | None = None) -> None:
        self.body, self.summary = body, summary
        self.known: dict[bytes, np.ndarray] = {}  # text -> (D,) or (T, D)

    def __call__(self, inputs: Any, params: Tree, config: Any, key: int | None) -> tuple[list[np.ndarray], None]:
        """Return the last hidden state (B, T, D) alone, without dropout whatever the key.

        Where one vector of a text is kept, it stands (as a view) at all positions: whichever one the head reads, or
        their mean, is that vector.
        """
        texts = list(self._texts(inputs))
        if any(text not in self.known for text in texts):
            with no_grad():
                hidden = self.body(inputs, params, config, None)[0][-1]  # (B, T, D)
            kept = hidden if self.summary is None else self.summary(hidden, inputs)  # (B, D) or (B, T, D)
            for text, features in zip(texts, kept, strict=True):
                self.known.setdefault(text, np.array(features))
        features = np.stack([self.known[text] for text in texts])  # (B, D) or (B, T, D)
        if self.summary is not None:
            B, T = inputs.input_ids.shape
            features = np.broadcast_to(features[:, None], (B, T, features.shape[-1]))  # (B, T, D)
        return [features], None

    @property
    def nbytes(self) -> int:
        """How much memory the features take."""
        return sum(features.nbytes for features in self.known.values())

    def _texts(self, inputs: Any) -> Iterator[bytes]:
        """Yield what decides the features of each text: visible tokens with segments and positions; if all places are
        kept, how wide the padding is, too.
        """
        B, T = inputs.input_ids.shape
        visible = np.ones((B, T), bool) if inputs.bias is None else inputs.bias.reshape(B, T)
        fields = [np.broadcast_to(field, (B, T)) for name, field in inputs._asdict().items() if name != "bias"]
        shape = b"" if self.summary is not None else visible.tobytes()
        for b in range(B):
            row = shape[b * T : (b + 1) * T]
            yield row + b"".join(np.ascontiguousarray(field[b, visible[b]], np.int64).tobytes() for field in fields)


def remember_features(model: Model) -> Model:
    """Freeze the body of a model with a task's head, and let it compute each text once.

    Parameters
    ----------
    model : TaskModel
        Changed, as by `adapt(model, "head")`, and returned. Its calls have no `hidden_states` of lower layers and no
        `attentions` any more. `forget_features` undoes it.

    Raises
    ------
    ConfigError
        If the model has no head of a task.
    """
    if not hasattr(model, "head") or not hasattr(model, "body"):
        raise ConfigError(
            f"{type(model).__name__} has no head of a task: use a class such as ...ForSequenceClassification"
        )
    forget_features(model)
    adapt(model, "head")
    model.body = RememberedBody(model.body, _summary_of(model))
    model.body_backward = _nothing
    return model


def _summary_of(model: Model) -> Callable | None:
    """What a head reads of a text: what the model calls its `summary`, or its last token in a decoder, or its first."""
    if model.part not in ("sequence", "choice"):
        return None
    places = getattr(model, "last_tokens", lambda ids: np.zeros(len(ids), np.int64))

    def at_place(hidden: np.ndarray, inputs: Any) -> np.ndarray:
        return hidden[np.arange(len(hidden)), places(inputs.input_ids)]  # (B, D)

    return getattr(model, "summary", at_place)


def forget_features(model: Model) -> None:
    """Let the model compute its body again at every call, for example before other parameters train."""
    vars(model).pop("body", None)
    vars(model).pop("body_backward", None)


def _nothing(dhidden: np.ndarray, cache: None, dtoken: np.ndarray | None = None) -> Tree:
    """A constant has no gradients."""
    return {}
