"""The options of `Trainer`, with today's names and defaults of Hugging Face's `TrainingArguments`."""

import functools
import math
from dataclasses import dataclass, fields
from numbers import Integral, Real
from types import NoneType
from typing import Any, get_args

import numpy as np

from minibert.errors import ConfigError
from minibert.training.argument_names import NOT_HERE, known_arguments
from minibert.training.schedule import SCHEDULES

STRATEGIES = {
    "eval_strategy": ("no", "steps", "epoch"),
    "logging_strategy": ("no", "steps", "epoch"),
    "save_strategy": ("no", "steps", "epoch", "best"),
    "train_sampling_strategy": ("random", "sequential", "group_by_length"),
    "lr_scheduler_type": tuple(SCHEDULES),
}
SIZES = ("per_device_train_batch_size", "per_device_eval_batch_size")
AT_LEAST_ONE = (*SIZES, "gradient_accumulation_steps", "max_skipped_steps")
RATES = ("learning_rate", "weight_decay", "l1", "warmup_steps")
NOT_NEGATIVE = (*RATES, "adam_epsilon", "max_grad_norm", "skip_outliers", "seed")
HARMLESS = (  # to the weights, if they change when a run goes on
    "logging_strategy", "logging_steps", "eval_strategy", "eval_steps", "eval_on_start",
    "per_device_eval_batch_size", "save_strategy", "save_steps", "save_total_limit", "disable_tqdm",
)  # fmt: skip
TYPES = {
    float: ("a number", Real),
    int: ("an integer", Integral),
    bool: ("True or False", (bool, np.bool_, Integral)),
}
SHARES = ("adam_beta1", "adam_beta2", "label_smoothing_factor")


def _checks_names(cls: type) -> type:
    """Let a dataclass explain an argument that it does not have."""
    init, names = cls.__init__, [field.name for field in fields(cls)]

    @functools.wraps(init)
    def checked(self: Any, *values: Any, **named: Any) -> None:
        init(self, *values, **known_arguments(named, names, cls.__name__))

    cls.__init__ = checked
    return cls


@_checks_names
@dataclass
class TrainingArguments:
    """Options of `Trainer`.

    Those of Hugging Face that have no meaning on a CPU (`fp16`, `report_to`, ...) may be given with the value that asks
    for nothing. `l1` is ours alone.

    Parameters
    ----------
    output_dir : str
        Where checkpoints go. With `save_strategy="no"` nothing is written.
    per_device_train_batch_size, per_device_eval_batch_size : int
    num_train_epochs : float
    max_steps : int
        If positive, the number of steps, instead of `num_train_epochs`.
    learning_rate : float
        The highest one.
    lr_scheduler_type : str
        See `minibert.training.schedule`.
    warmup_steps : float
        Steps in which the learning rate rises; less than 1: a share of all steps.
    weight_decay : float
        Decoupled L2 (see `AdamW`), on matrices and tables only.
    l1 : float
        L1 penalty (proximal, see `AdamW`), on matrices and tables only.
    adam_beta1, adam_beta2, adam_epsilon : float
    max_grad_norm : float
        The gradient is scaled down to this norm where it is larger; 0: never.
    gradient_accumulation_steps : int
        Batches that make one step.
    max_skipped_steps : int
        A step whose loss or gradient is not finite is not taken, and logged as skipped; after so many in a row the run
        ends. Ours alone.
    skip_outliers : float
        Also skip a step whose gradient's norm is more than so many standard deviations above the mean of the last ones
        (see `GradientNorms`); 0: never. Ours alone.
    label_smoothing_factor : float
        epsilon of `smoothed_cross_entropy`, in training and in `eval_loss`.
    logging_strategy, eval_strategy, save_strategy : {"no", "steps", "epoch"}
        When; `save_strategy` may be "best", too: after each evaluation that is the best so far.
    logging_steps, eval_steps, save_steps : float
        For "steps"; less than 1: a share of all steps. `eval_steps` is by default `logging_steps`.
    eval_on_start : bool
        Evaluate before the first step.
    save_total_limit : int, optional
        So many checkpoints are kept, the newest; the best is kept with `load_best_model_at_end`.
    load_best_model_at_end : bool
        End with the parameters of the best evaluation. Save when you evaluate.
    metric_for_best_model : str, optional
        With or without `eval_`. By default "loss" where one is needed.
    greater_is_better : bool, optional
        By default it is, unless the metric's name ends in "loss".
    seed : int
        Of dropout, and of the order of the examples unless `data_seed` is given.
    data_seed : int, optional
    train_sampling_strategy : {"random", "sequential", "group_by_length"}
        The order of the examples; "group_by_length" puts those of about the same length in a batch.
    dataloader_drop_last : bool
        Leave out the last batch of an epoch if it is not full.
    remove_unused_columns : bool
        Hand the model only what it takes.
    label_names : list of str, optional
        The columns that are labels. By default what the model names.
    disable_tqdm : bool, optional
        No progress bar. There is none without a terminal.
    """

    output_dir: str | None = None
    per_device_train_batch_size: int = 8
    num_train_epochs: float = 3.0
    max_steps: int = -1
    learning_rate: float = 5e-5
    lr_scheduler_type: str = "linear"
    warmup_steps: float = 0
    weight_decay: float = 0.0
    l1: float = 0.0
    adam_beta1: float = 0.9
    adam_beta2: float = 0.999
    adam_epsilon: float = 1e-8
    gradient_accumulation_steps: int = 1
    max_grad_norm: float = 1.0
    max_skipped_steps: int = 10
    skip_outliers: float = 0.0
    label_smoothing_factor: float = 0.0
    logging_strategy: str = "steps"
    logging_steps: float = 500
    eval_strategy: str = "no"
    eval_steps: float | None = None
    eval_on_start: bool = False
    per_device_eval_batch_size: int = 8
    save_strategy: str = "steps"
    save_steps: float = 500
    save_total_limit: int | None = None
    load_best_model_at_end: bool = False
    metric_for_best_model: str | None = None
    greater_is_better: bool | None = None
    seed: int = 42
    data_seed: int | None = None
    train_sampling_strategy: str = "random"
    dataloader_drop_last: bool = False
    remove_unused_columns: bool = True
    label_names: list | None = None
    disable_tqdm: bool | None = None

    def __getattr__(self, name: str) -> Any:
        """Of what is not here, the value that asks for nothing: scripts look up `report_to`."""
        if name in NOT_HERE:
            return NOT_HERE[name][0]
        raise AttributeError(f"{type(self).__name__} has no {name}")

    def __post_init__(self) -> None:
        """Fill in what follows from the rest; raise `ConfigError` for what cannot work."""
        self._check_types()
        self.output_dir = str(self.output_dir or "trainer_output")
        self.eval_steps = self.eval_steps or self.logging_steps
        if self.metric_for_best_model is None and (self.load_best_model_at_end or self.save_strategy == "best"):
            self.metric_for_best_model = "loss"
        if self.greater_is_better is None and self.metric_for_best_model is not None:
            self.greater_is_better = not self.metric_for_best_model.endswith("loss")
        self._check_values()
        self._check_best()

    def _check_types(self) -> None:
        """What comes from a file of settings may be a string: YAML reads 5e-5 as one."""
        for field in fields(self):
            value, kinds = getattr(self, field.name), get_args(field.type) or (field.type,)
            kind = next((k for k in (float, int, bool) if k in kinds), None)
            if kind is None or (value is None and NoneType in kinds):
                continue
            what, accepted = TYPES[kind]
            if not isinstance(value, accepted):
                raise ConfigError(f"{field.name} must be {what}, but is {value!r:.40}")

    def _check_values(self) -> None:
        for name, choices in STRATEGIES.items():
            if getattr(self, name) not in choices:
                raise ConfigError(f"{name} must be one of {', '.join(choices)}, but is {getattr(self, name)!r}")
        for name in AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, but is {getattr(self, name)}")
        for name in NOT_NEGATIVE:
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"{name} must not be negative, but is {getattr(self, name)}")
        for name in SHARES:
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 0 and less than 1, but is {getattr(self, name)}")
        for name in ("logging_steps", "eval_steps", "save_steps"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be positive, but is {getattr(self, name)}")
        if self.max_steps <= 0 and not 0 < self.num_train_epochs < math.inf:
            raise ConfigError(f"num_train_epochs must be positive, but is {self.num_train_epochs}")
        if self.save_total_limit is not None and self.save_total_limit < 1:
            raise ConfigError(f"save_total_limit must be at least 1, but is {self.save_total_limit}")

    def _check_best(self) -> None:
        """A best model needs evaluations, and its checkpoint must be there."""
        if not (self.load_best_model_at_end or self.save_strategy == "best"):
            return
        if self.eval_strategy == "no":
            raise ConfigError("the best model is known by evaluations: set eval_strategy to 'steps' or 'epoch'")
        if self.save_strategy not in ("best", self.eval_strategy):
            raise ConfigError(
                f"load_best_model_at_end needs a checkpoint of each evaluation: set save_strategy to "
                f"{self.eval_strategy!r} or 'best', it is {self.save_strategy!r}"
            )
        if self.save_strategy == "steps" and self.save_steps != self.eval_steps:
            raise ConfigError(
                f"load_best_model_at_end needs a checkpoint of each evaluation: save_steps is {self.save_steps}, "
                f"eval_steps {self.eval_steps}; set both to the same"
            )

    def every(self, what: str, max_steps: int, steps_per_epoch: int) -> int:
        """Return after how many steps there is "logging", "eval" or "save"; 0: never."""
        strategy = getattr(self, f"{what}_strategy")
        if strategy == "epoch":
            return steps_per_epoch
        return _share(getattr(self, f"{what}_steps"), max_steps) if strategy == "steps" else 0

    def get_warmup_steps(self, max_steps: int) -> int:
        """Return in how many of `max_steps` steps the learning rate rises."""
        return _share(self.warmup_steps, max_steps)


def _share(steps: float, max_steps: int) -> int:
    """A number of steps, or less than 1, a share of all."""
    return math.ceil(steps * max_steps) if steps < 1 else int(steps)
