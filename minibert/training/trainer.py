"""`Trainer`: fine-tuning with the names of Hugging Face's, on the loop of pre-training."""

import inspect
import math
import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from minibert.errors import ConfigError, DataError, TrainingError
from minibert.files import read_object
from minibert.training.argument_names import known_arguments
from minibert.training.best_model import BestModel
from minibert.training.callbacks import CallbackHandler, TrainerCallback, TrainerControl, TrainerState
from minibert.training.changes import check_changes
from minibert.training.checkpoints import Checkpoints, good_checkpoint, output_folder, save_model
from minibert.training.collate import RENAMED, DataCollatorWithPadding
from minibert.training.examples import Examples, columns_of
from minibert.training.loop import train
from minibert.training.optimizer import AdamW
from minibert.training.plan import loop_settings, step_batches
from minibert.training.prediction import EvalPrediction, Predicted, PredictionOutput, compute, predict
from minibert.training.progress import Progress
from minibert.training.records import TrainerLog, TrainOutput, remember, speed, with_prefix
from minibert.training.run_folder import ARGUMENTS
from minibert.training.run_state import Run, as_json
from minibert.training.schedule import SCHEDULES
from minibert.training.spikes import GradientNorms
from minibert.training.stop_signals import StopOnSignal
from minibert.training.training_arguments import HARMLESS, TrainingArguments


class Trainer:
    """Trains and evaluates a model on examples.

    Parameters
    ----------
    model : Model
        Or any object with `params` (a tree of arrays), `losses_and_grads(batch, dropout, target_counts)` and
        `count_targets(batch)` as `minibert.models.base.Model` has them, and a call that returns an output with
        `loss` and `logits`, by key.
    args : TrainingArguments
    data_collator : callable, optional
        A list of examples -> a batch. By default `DataCollatorWithPadding`.
    train_dataset, eval_dataset : optional
        A sequence of dicts, or a dict of columns. Columns that the model does not take are left out.
    processing_class : optional
        The tokenizer: says how to pad, and is saved with the model.
    compute_metrics : callable, optional
        `EvalPrediction` -> {name: number}.
    callbacks : list of TrainerCallback

    Attributes
    ----------
    state : TrainerState
        `state.log_history` is what was logged.
    how_to_go_on : str
        What a run that a signal stopped says at its end.
    """

    how_to_go_on = "go on with train(resume_from_checkpoint=True)"

    def __init__(
        self,
        model: Any,
        args: TrainingArguments | None = None,
        data_collator: Callable | None = None,
        train_dataset: Any = None,
        eval_dataset: Any = None,
        processing_class: Any = None,
        compute_metrics: Callable[[EvalPrediction], dict[str, float]] | None = None,
        callbacks: Iterable[TrainerCallback | type] | None = None,
        **unknown: Any,
    ) -> None:
        known_arguments(unknown, list(inspect.signature(Trainer).parameters), "Trainer")
        if not hasattr(model, "losses_and_grads"):
            raise ConfigError(f"the model is a {type(model).__name__}, which has no losses_and_grads: see Trainer")
        if not isinstance(args, TrainingArguments | None):
            raise ConfigError(f"args must be TrainingArguments, but is a {type(args).__name__}")
        self.model = model
        self.args = args or TrainingArguments()
        self.train_dataset, self.eval_dataset = train_dataset, eval_dataset
        self.processing_class, self.compute_metrics = processing_class, compute_metrics
        pad = getattr(getattr(model, "config", None), "pad_token_id", None) or 0
        self.data_collator = data_collator or DataCollatorWithPadding(processing_class, pad)
        self.label_names = tuple(self.args.label_names or getattr(model, "labels", ("labels",)))
        self.best = BestModel()
        self.stop = StopOnSignal()
        self.handler = CallbackHandler([*(callbacks or ()), self.best, self.stop], self.args, model=model)
        self.checkpoints = Checkpoints(Path(self.args.output_dir))

    @property
    def state(self) -> TrainerState:
        """Where the run is."""
        return self.handler.state

    # Training -------------------------------------------------------------------------------

    def train(self, resume_from_checkpoint: bool | str | Path | None = None, allow_change: bool = False) -> TrainOutput:
        """Train as `args` say.

        While checkpoints are written, Ctrl-C and SIGTERM finish the step and save before the run ends.

        Parameters
        ----------
        resume_from_checkpoint : bool, str or Path, optional
            Go on from this checkpoint, or (True, or a folder) from the newest. The run then ends with the bits that it
            would have ended with, had it never stopped. A damaged checkpoint is named, and the newest good one before
            it is taken.
        allow_change : bool
            Go on although data, or arguments that change the weights, are others than the run began with.

        Returns
        -------
        TrainOutput
            (global_step, training_loss, metrics)

        Raises
        ------
        DataError
            If there is nothing to train on, an example has no labels, or is too long for the model.
        TrainingError
            If too many steps in a row were skipped: see `minibert.training.loop.train`.
        CheckpointError
            If there is no good checkpoint, or one cannot be written.
        TrainingStopped
            A `KeyboardInterrupt`, after a signal.
        """
        a, examples = self.args, self._checked_examples()
        if self.eval_dataset is None and (a.eval_strategy != "no" or a.eval_on_start):
            raise ConfigError(f"eval_strategy is {a.eval_strategy!r}, but there is no eval_dataset: give one")
        settings = loop_settings(a, len(examples))
        self.handler.state, self.handler.control = TrainerState(), TrainerControl()
        betas = (a.adam_beta1, a.adam_beta2)
        optimizer = AdamW(self.model.params, a.learning_rate, a.weight_decay, betas, a.adam_epsilon, a.l1)
        self.handler.context["optimizer"] = optimizer
        warmup_steps = a.get_warmup_steps(settings.max_steps)
        steps = step_batches(a, examples, self.data_collator)
        self._run = Run(self.model, optimizer, steps, self.state, as_json(asdict(a)), self.processing_class)
        progress = self._begin(resume_from_checkpoint, allow_change)
        self.state.num_train_epochs = math.ceil(settings.max_steps / settings.steps_per_epoch)

        def learning_rate(step: int) -> float:
            return SCHEDULES[a.lr_scheduler_type](step, a.learning_rate, warmup_steps, settings.max_steps)

        start, first = time.perf_counter(), progress.step
        saves = a.save_strategy != "no"
        with (
            output_folder(Path(a.output_dir)) if saves else nullcontext() as folder,
            self.stop if saves else nullcontext(),
            TrainerLog(folder, settings.max_steps, not a.disable_tqdm, self.handler) as log,
        ):
            parts = (self.model, optimizer, steps, learning_rate, settings, log)
            try:
                loss = train(*parts, self._evaluate, self._save, self.handler, progress)
            except TrainingError as error:
                raise TrainingError(f"{error}; {self.checkpoints.newest}") from error
            self.stop.check(self.state, self.how_to_go_on)
            self.best.restore(self.model.params)
            samples = round((self.state.global_step - first) / settings.steps_per_epoch * len(examples))
            metrics = {**speed("train", start, samples, self.state.global_step - first), "train_loss": loss}
            log.write(metrics)
        self.handler.tell("on_train_end")
        return TrainOutput(self.state.global_step, loss, {**metrics, "epoch": self.state.epoch})

    def _begin(self, resume_from_checkpoint: bool | str | Path | None, allow_change: bool) -> Progress:
        """Where the run begins: at its first step, or behind a checkpoint's."""
        a, folder = self.args, Path(self.args.output_dir)
        if not resume_from_checkpoint:
            self.checkpoints = Checkpoints(folder, a.save_total_limit)
            return Progress(norms=GradientNorms(a.skip_outliers))
        checkpoint = good_checkpoint(folder if resume_from_checkpoint is True else Path(resume_from_checkpoint), _warn)
        check_changes(read_object(checkpoint / ARGUMENTS), self._run.arguments, HARMLESS, allow_change, _warn)
        self.checkpoints = Checkpoints(folder, a.save_total_limit, checkpoint, _warn)
        return self._run.read(checkpoint, not allow_change, a.skip_outliers)

    def _checked_examples(self) -> Examples:
        """The training examples, which must have labels and fit into the model."""
        if self.train_dataset is None:
            raise DataError("there is nothing to train on: give train_dataset")
        examples = self._examples(self.train_dataset)
        names = {RENAMED.get(name, name) for name in examples.names}
        if self.label_names and not names & set(self.label_names):  # a model may learn without labels
            raise DataError(
                f"the dataset has the columns {', '.join(examples.dataset[0])}, but no {' or '.join(self.label_names)}"
            )
        if self.label_names == ("labels",) and hasattr(self.model, "check_targets"):
            self.model.check_targets(examples.labels())
        return examples

    # Evaluation -----------------------------------------------------------------------------

    def evaluate(self, eval_dataset: Any = None, metric_key_prefix: str = "eval") -> dict[str, float]:
        """Return `eval_loss`, what `compute_metrics` returns under names that begin with `eval_`, and the speed."""
        metrics = self._measure(self.eval_dataset if eval_dataset is None else eval_dataset, metric_key_prefix)[1]
        remember(metrics, self.handler)
        return {**metrics, "epoch": self.state.epoch}

    def predict(self, test_dataset: Any, metric_key_prefix: str = "test") -> PredictionOutput:
        """Return (predictions, label_ids, metrics): predictions are logits (N, ...), in the order of the dataset.

        `label_ids` is None, and no loss and metric is there, if the dataset has no labels.
        """
        predicted, metrics = self._measure(test_dataset, metric_key_prefix)
        return PredictionOutput(predicted.scores, predicted.labels, metrics)

    def _evaluate(self, step: int) -> dict[str, float]:
        return self._measure(self.eval_dataset, "eval")[1]

    def _measure(self, dataset: Any, prefix: str) -> tuple[Predicted, dict[str, float]]:
        if dataset is None:
            raise DataError("there is nothing to evaluate on: give eval_dataset")
        start, size, examples = time.perf_counter(), self.args.per_device_eval_batch_size, self._examples(dataset)
        smoothing = self.args.label_smoothing_factor
        predicted = predict(self.model, examples, self.data_collator, size, self.label_names, smoothing)
        metrics = {} if predicted.loss is None else {"loss": predicted.loss}
        if self.compute_metrics and predicted.labels is not None:
            metrics |= compute(self.compute_metrics, EvalPrediction(predicted.scores, predicted.labels))
        steps = math.ceil(len(examples) / size)
        return predicted, with_prefix(metrics, prefix) | speed(prefix, start, len(examples), steps)

    def _examples(self, dataset: Any) -> Examples:
        """The examples of a dataset, which must fit into the model."""
        examples = Examples(dataset, columns_of(self.model) if self.args.remove_unused_columns else None)
        limit = getattr(getattr(self.model, "config", None), "max_length", None)
        too_long = int((examples.lengths() > limit).sum()) if limit else 0
        if too_long:
            raise DataError(
                f"{too_long} of {len(examples)} examples have more than the {limit} tokens that the model has "
                f"positions for: tokenize with truncation=True, max_length={limit}"
            )
        return examples

    # Files ----------------------------------------------------------------------------------

    def save_model(self, output_dir: str | Path | None = None) -> None:
        """Write the model, and the tokenizer if there is one, to a folder, by default `args.output_dir`."""
        save_model(Path(output_dir or self.args.output_dir), self.model, self.processing_class)

    def _save(self, progress: Progress) -> None:
        if self.state.best_global_step == progress.step:
            self.state.best_model_checkpoint = str(Path(self.args.output_dir) / f"checkpoint-{progress.step}")
        best = Path(self.state.best_model_checkpoint) if self.state.best_model_checkpoint else None
        self.checkpoints.save(progress.step, lambda folder: self._run.write(folder, progress), best)


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=4)
