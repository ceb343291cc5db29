"""`model.fit(encodings, labels)`: a `Trainer` in one call."""

from collections.abc import Mapping, Sequence
from typing import Any

from minibert.errors import DataError
from minibert.training.records import TrainOutput
from minibert.training.trainer import Trainer
from minibert.training.training_arguments import TrainingArguments


def fit(
    model: Any,
    encodings: Mapping[str, Sequence],
    labels: Sequence,
    validation_data: tuple[Mapping[str, Sequence], Sequence] | None = None,
    **options: Any,
) -> TrainOutput:
    """Train `model` on what a tokenizer returned for texts, and their labels.

    Parameters
    ----------
    model : Model
    encodings : mapping of columns
    labels : sequence
        One entry an example.
    validation_data : (encodings, labels), optional
        Evaluated after each epoch.
    **options
        Of `TrainingArguments`. Unless they say otherwise nothing is written.
    """
    for name, pair in (("encodings and labels", (encodings, labels)), ("validation_data", validation_data)):
        if pair is None:
            continue
        if len(pair) != 2 or not isinstance(pair[0], Mapping) or not hasattr(pair[1], "__len__"):
            raise DataError(f"{name} must be what a tokenizer returned for texts, and a label for each of them")
    defaults = {"save_strategy": "no", "eval_strategy": "no" if validation_data is None else "epoch"}
    args = TrainingArguments(**{**defaults, **options})
    heldout = None if validation_data is None else {**validation_data[0], "labels": validation_data[1]}
    return Trainer(model, args, train_dataset={**encodings, "labels": labels}, eval_dataset=heldout).train()
