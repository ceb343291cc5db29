"""Attention of a model on a text: every head of every layer, as lines between tokens and as a matrix."""

from typing import Any

import numpy as np

from minibert.dispatch import no_grad
from minibert.errors import DataError
from minibert.tokenizers.auto import with_face
from minibert.view.page import Page
from minibert.view.windows import Windows

MOST = 900_000  # probabilities in a page: 3.6 MB, and a third more as text


def attention_view(model: Any, text: str, tokenizer: Any, text_pair: str | None = None) -> Page:
    """Return a view of what each token of a text attends to, in each head of each layer.

    Parameters
    ----------
    model : Model
        Whose call knows `output_attentions`.
    text : str
    tokenizer : PretrainedTokenizer or tokenizers.Tokenizer
        The model's.
    text_pair : str, optional
        A second sentence; the view can then show what goes from one to the other.

    Returns
    -------
    Page
        Shows itself in Jupyter (extra `lessons`); `.to_html(path)` writes it.

    Raises
    ------
    DataError
        If the text is too long for a page.
    """
    tokenizer = with_face(tokenizer)
    encoding = tokenizer(text, text_pair) if text_pair is not None else tokenizer(text)
    ids = list(encoding["input_ids"])
    sentence = list(encoding.get("token_type_ids", [0] * len(ids)))
    accepted = {"token_type_ids": [sentence]} if "token_type_ids" in encoding else {}
    with no_grad():
        attentions = model([ids], **accepted, output_attentions=True).attentions  # L arrays (1, H, T, T)
    probs = np.concatenate(attentions)  # (L, H, T, T)
    if probs.size > MOST:
        raise DataError(
            f"{probs.shape[0]} layers of {probs.shape[1]} heads between {len(ids)} tokens are too much for a page: "
            "give a shorter text"
        )
    windows = Windows(max(probs.shape), {})
    windows.add(probs)
    arrays, numbers = windows.pack()
    data = {
        "view": "attention",
        "title": f"Attention of {type(model).__name__}",
        "arrays": arrays,
        "tokens": tokenizer.convert_ids_to_tokens(ids),
        "sentence": [int(s) for s in sentence],
    }
    return Page(data["title"], data, numbers)
