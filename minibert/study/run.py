"""One cell: train with each learning rate of its recipe, choose by the validation part, test once."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minibert.evaluation import accuracy, bootstrap
from minibert.finetuning.features import remember_features
from minibert.models.base import Model
from minibert.study.cells import Cell
from minibert.study.recipes import RECIPES, VIRTUAL_TOKENS, WARMUP, WEIGHT_DECAY, Recipe
from minibert.study.reviews import Examples, Reviews, encode
from minibert.study.starts import adapted, start_model
from minibert.tokenizers import AutoTokenizer
from minibert.training.callbacks import TrainerCallback
from minibert.training.trainer import Trainer
from minibert.training.training_arguments import TrainingArguments

EVAL_BATCH = 32


class Run(NamedTuple):
    """One training with one learning rate."""

    trainer: Trainer
    learning_rate: float
    seconds: float
    validation: float | None  # accuracy; None where there was nothing to choose


@dataclass
class Study:
    """What all cells have in common.

    Parameters
    ----------
    reviews : Reviews
    folder_of : callable
        A start -> the checkpoint folder with its weights and its tokenizer.
    max_length, long_length : int
        Tokens of a text, special and virtual tokens included; the second is that of long cells.
    seed : int
        Of initial weights, the order of examples, and dropout.
    """

    reviews: Reviews
    folder_of: Callable[[str], Path]
    max_length: int = 128
    long_length: int = 256
    seed: int = 0
    tell: TrainerCallback = field(default_factory=TrainerCallback)  # hears how each training goes on
    heldout_features: dict[str, dict] = field(default_factory=dict)  # by start

    def run(self, cell: Cell, recipe: Recipe | None = None) -> dict[str, Any]:
        """Train and test the model of a cell. Return what its file holds: see `tested`."""
        recipe = recipe or RECIPES[cell.start][cell.method, cell.labels]
        train, validation, test = self._examples(cell)
        known, seconds = None, 0.0
        if cell.method == "features":
            known, seconds = self._features(cell, train, validation + test)
        runs = []
        for rate in recipe.learning_rates:
            trainer = self._trainer(self._model(cell, known), recipe, rate)
            trainer.train_dataset = train
            took = trainer.train().metrics["train_runtime"]
            choice = _accuracy(trainer, validation)[0] if len(recipe.learning_rates) > 1 else None
            runs.append(Run(trainer, rate, took + seconds, choice))
        best = max(runs, key=lambda run: run.validation or 0.0)
        tried = [{"learning_rate": run.learning_rate, "validation": run.validation} for run in runs]
        found = {
            **cell._asdict(),
            **tested(best, test),
            **recipe._asdict(),
            "tried": tried,
            "train_reviews": len(train),
        }
        if cell.reads_on and best.trainer.model.config.max_length >= self.long_length:
            longer = self._examples(cell._replace(long=True))[2]
            found["longer"] = scores(*_accuracy(best.trainer, longer)[1:])
        return found

    def _examples(self, cell: Cell) -> tuple[Examples, Examples, Examples]:
        """The labelled, the validation and the test reviews, as tokens."""
        tokenizer = AutoTokenizer.from_pretrained(self.folder_of(cell.start))
        length = (self.long_length if cell.long else self.max_length) - VIRTUAL_TOKENS * (cell.method == "prompt")
        parts = self.reviews.labelled(cell.labels), self.reviews.validation, self.reviews.test
        return tuple(encode(part, tokenizer, length) for part in parts)

    def _model(self, cell: Cell, known: dict | None) -> Model:
        """A new model; if `known` holds features, it need not compute them."""
        model = start_model(cell.start, self.folder_of(cell.start), self.seed)
        if known is None:
            return adapted(model, cell.method, self.seed)
        remember_features(model).body.known = known
        return model

    def _features(self, cell: Cell, train: Examples, heldout: Examples) -> tuple[dict, float]:
        """The features of all texts, and how long those to train on took. Those held out are kept for other cells."""
        known = self.heldout_features.setdefault(cell.start, {})
        trainer = self._trainer(self._model(cell, known), Recipe((), 1, EVAL_BATCH), 0.0)
        if not known:
            trainer.predict(heldout)
        trainer.model.body.known = known = dict(known)
        start = time.perf_counter()
        trainer.predict(train)
        return known, time.perf_counter() - start

    def _trainer(self, model: Model, recipe: Recipe, learning_rate: float) -> Trainer:
        options = TrainingArguments(
            learning_rate=learning_rate,
            num_train_epochs=recipe.epochs,
            per_device_train_batch_size=recipe.batch_size,
            per_device_eval_batch_size=EVAL_BATCH,
            warmup_steps=WARMUP,
            weight_decay=WEIGHT_DECAY,
            train_sampling_strategy="group_by_length",
            logging_steps=0.1,
            save_strategy="no",
            seed=self.seed,
        )
        return Trainer(model, options, callbacks=[self.tell])


def tested(run: Run, test: Examples) -> dict[str, Any]:
    """Return what a trained model is worth: accuracy with its interval, time, and what trains.

    `predictions` is a text of 0 and 1, for paired comparisons of cells: all have the same test reviews.
    """
    _, labels, predictions = _accuracy(run.trainer, test)
    model, steps = run.trainer.model, run.trainer.state.global_step
    return {
        **scores(labels, predictions),
        "learning_rate": run.learning_rate,
        "seconds": run.seconds,
        "steps": steps,
        "parameters": model.num_parameters(),
        "trainable_parameters": model.num_trainable_parameters(),
    }


def scores(labels: np.ndarray, predictions: np.ndarray) -> dict[str, Any]:
    """Return accuracy with its interval, and the predictions as a text."""
    interval = bootstrap(accuracy, labels, predictions)
    values = {"accuracy": interval.value, "low": interval.low, "high": interval.high}
    return {**values, "predictions": "".join(map(str, predictions)), "test_reviews": len(labels)}


def _accuracy(trainer: Trainer, examples: Examples) -> tuple[float, np.ndarray, np.ndarray]:
    """Accuracy, labels and predictions."""
    logits, labels, _ = trainer.predict(examples)
    predictions = logits.argmax(-1)  # (N,)
    return float(accuracy(labels, predictions)), labels, predictions
