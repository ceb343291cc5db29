"""The logit lens (nostalgebraist 2020, "interpreting GPT: the logit lens"): what would each layer answer?"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from minibert.dispatch import no_grad
from minibert.errors import DataError
from minibert.models.base import Model


def logit_lens(model: Model, input_ids: ArrayLike, **inputs: Any) -> np.ndarray:
    """z_l = head(h_l): the logits that the model would have if layer l were its last.

    h_0 are the embeddings, h_l is what layer l puts out, and the head is all that stands between the last layer and
    the logits: of BERT the transform and the tied decoder, of GPT-2 the last normalisation and the tied decoder.

    Parameters
    ----------
    model : Model
        With a head over the vocabulary.
    input_ids, **inputs
        As for a call.

    Returns
    -------
    logits : (L + 1, B, T, V)
        The last ones are those of the model.

    Raises
    ------
    DataError
        If the model has no head over the vocabulary.
    """
    if getattr(model, "read_out", None) is None:
        raise DataError(
            f"{type(model).__name__} has no head over the vocabulary: use a class for masked or causal "
            "language modelling"
        )
    with no_grad():
        out = model(input_ids, **inputs, output_hidden_states=True)
        return np.stack([*map(model.read_out, out.hidden_states[:-1]), out.logits])
