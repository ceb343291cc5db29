"""The logit lens to look at: layers by positions, with what each would predict there."""

from typing import Any

import numpy as np

from minibert.errors import DataError
from minibert.evaluation.logit_lens import logit_lens
from minibert.models.causal_lm import CausalLM
from minibert.ops.attention import softmax
from minibert.tokenizers.auto import with_face
from minibert.view.page import Page
from minibert.view.windows import Windows

TOP = 10  # predictions of a cell
MOST_CELLS = 4000  # of the grid
MOST_LOGITS = 100_000_000  # 400 MB


def logit_lens_view(model: Any, text: str, tokenizer: Any, text_pair: str | None = None) -> Page:
    """Return a view of what each layer of a model would predict at each position of a text.

    Parameters
    ----------
    model : BertForMaskedLM, BertForPreTraining, RobertaForMaskedLM, GPT2LMHeadModel or OpenAIGPTLMHeadModel
    text : str
        For a masked language model usually with mask tokens in it.
    tokenizer : PretrainedTokenizer or tokenizers.Tokenizer
        The model's.
    text_pair : str, optional
        A second sentence.

    Returns
    -------
    Page
        Shows itself in Jupyter (extra `lessons`); `.to_html(path)` writes it.

    Raises
    ------
    DataError
        If the text is empty or too long for a page, or the model has no head over the vocabulary.
    """
    tokenizer, causal = with_face(tokenizer), isinstance(model, CausalLM)
    encoding = tokenizer(text) if text_pair is None else tokenizer(text, text_pair)
    ids = np.array(encoding["input_ids"], np.int64)  # (T,)
    _check_size(len(ids), model.config.n_layer if causal else model.config.num_hidden_layers, model.config.vocab_size)
    segments = {"token_type_ids": [encoding["token_type_ids"]]} if "token_type_ids" in encoding else {}
    probs = softmax(logit_lens(model, ids[None], **segments)[:, 0])  # (L + 1, T, V)
    top, summary = _summary(probs)
    windows = Windows(max(*probs.shape[:2], TOP), {})
    asked = np.flatnonzero(ids == tokenizer.mask_token_id)
    data = {
        "view": "logit_lens",
        "title": f"Logit lens of {type(model).__name__}",
        **{name: windows.add(array) for name, array in summary.items()},
        "ids": ids.tolist(),
        "targets": _targets(ids, causal, tokenizer.mask_token_id).tolist(),
        "causal": causal,
        "start": int(asked[0]) if len(asked) else len(ids) - 1,
        "most_entropy": float(np.log(probs.shape[-1])),
        "words": {int(i): tokenizer.convert_ids_to_tokens(int(i)) or f"id {i}" for i in np.union1d(ids, top)},
    }
    data["arrays"], numbers = windows.pack()
    return Page(data["title"], data, numbers)


def _check_size(T: int, layers: int, vocab_size: int) -> None:
    if T == 0:
        raise DataError("the text has no token: give one with some words")
    cells = (layers + 1) * T
    if cells > MOST_CELLS or cells * vocab_size > MOST_LOGITS:
        raise DataError(f"{layers} layers of {T} tokens are too much for a page: give a shorter text")


def _targets(ids: np.ndarray, causal: bool, mask: int | None) -> np.ndarray:
    """(T,): what is right at each position, as far as the text says it: the next token, or what stands there."""
    return np.append(ids[1:], -1) if causal else np.where(ids == mask, -1, ids)


def _summary(probs: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """What the page shows of probs (L + 1, T, V): the best tokens (L + 1, T, TOP), and the arrays by name."""
    best = np.argpartition(-probs, min(TOP, probs.shape[-1]) - 1)[..., :TOP]  # (L + 1, T, TOP) in any order
    order = np.argsort(-np.take_along_axis(probs, best, -1), kind="stable")
    top = np.take_along_axis(best, order, -1)  # (L + 1, T, TOP) the best first
    logs = np.log(np.where(probs > 0, probs, 1))  # 0 log 0 = 0
    return (
        top,
        {
            "top": top,
            "probs": np.take_along_axis(probs, top, -1),  # (L + 1, T, TOP)
            "entropy": -(probs * logs).sum(-1),  # (L + 1, T) in nats
            "answer": np.take_along_axis(probs, top[-1:, :, :1], -1)[
                ..., 0
            ],  # (L + 1, T) of what the last layer answers
        },
    )
