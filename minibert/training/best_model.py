"""Which evaluation was the best: early stopping, and the weights of that moment."""

from pathlib import Path
from typing import Any

import numpy as np

from minibert.errors import ConfigError
from minibert.fields import check_type
from minibert.frozen import trainable
from minibert.training.callbacks import TrainerCallback, TrainerControl, TrainerState
from minibert.training.run_state import parameters_in
from minibert.training.whole_folder import check_folder
from minibert.tree import Tree, flatten


def metric_of(args: Any, metrics: dict[str, float]) -> float:
    """Return the metric that tells which model is best. Raises `ConfigError` if there is none of that name."""
    name = f"eval_{args.metric_for_best_model.removeprefix('eval_')}"
    if name not in metrics:
        raise ConfigError(f"metric_for_best_model is {name}, but an evaluation has {', '.join(metrics)}: choose one")
    if np.ndim(metrics[name]):
        raise ConfigError(f"metric_for_best_model is {name}, but that is several numbers: choose one that is one")
    return metrics[name]


def is_better(args: Any, value: float, other: float | None) -> bool:
    """Return whether `value` is better than `other`; anything but a NaN is better than None."""
    if other is None:
        return value == value
    return value > other if args.greater_is_better else value < other


class EarlyStoppingCallback(TrainerCallback):
    """Stops when the metric has not improved in so many evaluations (Prechelt 1998, "Early stopping - but when?").

    Parameters
    ----------
    early_stopping_patience : int
        Evaluations in a row that may fail to improve; the last of them stops the run.
    early_stopping_threshold : float
        By how much the metric must be better than the best so far.
    """

    def __init__(self, early_stopping_patience: int = 1, early_stopping_threshold: float = 0.0) -> None:
        if early_stopping_patience < 1:
            raise ConfigError(f"early_stopping_patience must be at least 1, but is {early_stopping_patience}")
        self.early_stopping_patience = early_stopping_patience
        self.early_stopping_threshold = early_stopping_threshold
        self.name = f"{type(self).__name__}({early_stopping_patience}, {early_stopping_threshold})"

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Check that there is something to compare."""
        if args.metric_for_best_model is None or args.eval_strategy == "no":
            raise ConfigError("early stopping needs metric_for_best_model, and an eval_strategy other than 'no'")
        check_type(self.name, state.remembered.get(self.name, 0), int, "trainer_state.json")

    def on_evaluate(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Compare with the best of the evaluations before."""
        value, best = metric_of(args, kwargs["metrics"]), state.best_metric
        improved = is_better(args, value, best)
        if improved and best is not None:
            improved = abs(value - best) > self.early_stopping_threshold
        failures = 0 if improved else state.remembered.get(self.name, 0) + 1
        state.remembered[self.name] = failures
        if failures >= self.early_stopping_patience:
            control.should_training_stop = True


class BestModel(TrainerCallback):
    """Notes the best evaluation in the state and keeps a copy of its parameters.

    It comes after the callbacks of the user: they compare with the evaluations before.
    """

    def __init__(self) -> None:
        self._copies: dict[str, np.ndarray] | None = None

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Forget the run before; of a run that goes on, read the best parameters from their checkpoint."""
        self._copies = None
        if state.best_model_checkpoint and args.load_best_model_at_end:
            model, checkpoint = kwargs["model"], Path(state.best_model_checkpoint)
            check_folder(checkpoint)
            values = parameters_in(checkpoint, model)
            self._keep({name: values[name] for name in flatten(trainable(model.params))})

    def on_evaluate(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Keep the parameters if they are the best so far."""
        if args.metric_for_best_model is None:
            return
        value = metric_of(args, kwargs["metrics"])
        improved = is_better(args, value, state.best_metric)
        if improved:
            state.best_metric, state.best_global_step = value, state.global_step
            if args.load_best_model_at_end:
                self._keep(flatten(trainable(kwargs["model"].params)))
        if args.save_strategy == "best":
            control.should_save = control.should_save or improved

    def restore(self, params: Tree) -> None:
        """Write the best parameters into the model's arrays, if any were kept."""
        arrays = flatten(params)
        for name, copy in (self._copies or {}).items():
            arrays[name][...] = copy

    def _keep(self, arrays: dict[str, np.ndarray]) -> None:
        """Copy what trains; what is frozen is as it was."""
        self._copies = {name: array.copy() for name, array in arrays.items()}
