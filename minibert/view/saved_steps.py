"""What a run predicted for the same text at every step that it saved."""

import filecmp
from pathlib import Path
from typing import Any

import numpy as np

from minibert.dispatch import no_grad
from minibert.errors import DataError
from minibert.ops.attention import softmax
from minibert.pipelines.opening import open_both
from minibert.training.checkpoints import checkpoints_in, step_of
from minibert.view.windows import Windows

WEIGHTS = "model.safetensors"
TOP = 5  # tokens in a table
FOLLOWED = 3  # tokens whose probability is drawn over the steps: the most probable ones at the end
TEXTS = {"mlm": "It is the {mask} of the {mask}.", "clm": "It is the"}  # by what was learned


def saved_steps(run: Path, last: int) -> dict[int, Path]:
    """Return {step: folder} of the checkpoints of a run, and of the run folder's own weights.

    Parameters
    ----------
    run : Path
    last : int
        The step of the last evaluation: then, too, weights are written into the run folder.
    """
    steps = {step_of(folder): folder for folder in checkpoints_in(run)}
    if not (run / WEIGHTS).is_file():
        return steps
    newest = next(reversed(steps.values()), None)
    if newest is not None and filecmp.cmp(run / WEIGHTS, newest / WEIGHTS, shallow=False):
        return steps
    return dict(sorted((steps | {last: run}).items()))


def predictions(run: Path, part: str, text: str | None, last: int, windows: Windows) -> dict[str, Any] | None:
    """Return what the page shows of them; None if no weights are saved yet.

    Parameters
    ----------
    part : str
        "mlm": each mask of the text is predicted; "clm": the token after the text.
    text : str, optional
        The default has nothing to do with the corpus.
    """
    folders = saved_steps(run, last)
    if not folders:
        return None
    models = (open_both(folder, part) for folder in folders.values())
    read = [(tokenizer, *_read(model, tokenizer, part, text)) for model, tokenizer in models]
    tokenizer, ids, places, _ = read[-1]
    probs = np.stack([p for *_, p in read])  # (S, M, V), S the steps, M the places
    steps = windows.add(np.array(list(folders)))
    return {
        "steps": steps,
        "tokens": _names(tokenizer, ids),
        "places": [
            {"at": int(place), **_place(probs[:, m], steps, tokenizer, windows)} for m, place in enumerate(places)
        ],
    }


def _read(model: Any, tokenizer: Any, part: str, text: str | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the text's ids (T,), the places of what is predicted (M,), and its probabilities (M, V)."""
    if text is None:
        text = TEXTS[part].format(mask=tokenizer.mask_token if part == "mlm" else "")
    ids = np.array(tokenizer.encode(text), dtype=int)
    if part == "mlm":
        where = places = np.flatnonzero(ids == tokenizer.mask_token_id)
    else:
        where, places = np.arange(len(ids))[-1:], np.array([len(ids)])  # the last token predicts the one after it
    if not len(where):
        need = f"no {tokenizer.mask_token} in it: write it in place of a word" if part == "mlm" else "it is empty"
        raise DataError(f"{text!r} leaves nothing to predict: {need}")
    with no_grad():
        return ids, places, softmax(model(ids[None]).logits[0, where])


def _place(probs: np.ndarray, steps: int, tokenizer: Any, windows: Windows) -> dict[str, Any]:
    """Of one place the tokens that were among the best at any step, and those of the end over all steps."""
    best = np.argsort(-probs, axis=-1, kind="stable")[:, :TOP]  # (S, TOP)
    tokens = np.unique(best)
    followed = best[-1, :FOLLOWED]
    curves = [windows.add(probs[:, token]) for token in followed]
    names = _names(tokenizer, followed)
    return {
        "tokens": _names(tokenizer, tokens),
        "probs": windows.add(probs[:, tokens]),
        "followed": [{"name": name, "x": steps, "y": y} for name, y in zip(names, curves, strict=True)],
    }


def _names(tokenizer: Any, ids: np.ndarray) -> list[str]:
    """A token that is mere space is told as Python would."""
    names = tokenizer.convert_ids_to_tokens([int(i) for i in ids])
    return [name if name.strip() else repr(name) for name in names]
