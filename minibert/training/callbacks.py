"""Who may watch a training run and steer it: callbacks, with the names and the signature of Hugging Face's."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from minibert.errors import ConfigError
from minibert.fields import from_json
from minibert.files import read_object, write_json


@dataclass
class TrainerState:
    """Where a run is. A callback reads it; `trainer_state.json` of a checkpoint holds it."""

    epoch: float = 0
    global_step: int = 0
    max_steps: int = 0
    num_train_epochs: int = 0
    log_history: list[dict[str, Any]] = field(default_factory=list)
    best_metric: float | None = None
    best_global_step: int | None = None
    best_model_checkpoint: str | None = None
    remembered: dict[str, Any] = field(default_factory=dict)  # what callbacks need again when a run goes on, by name

    def save_to_json(self, path: str | Path) -> None:
        """Write all fields."""
        write_json(Path(path), asdict(self))

    @classmethod
    def load_from_json(cls, path: str | Path) -> Self:
        """Read what `save_to_json` wrote. Raises `CheckpointError` if it is something else."""
        return from_json(cls, read_object(Path(path), much=True), str(path))


@dataclass
class TrainerControl:
    """What happens next. A callback writes it; what is about one step is decided anew at the next."""

    should_training_stop: bool = False
    should_save: bool = False
    should_evaluate: bool = False
    should_log: bool = False


class TrainerCallback:
    """Base of callbacks: override the events you want.

    Each gets the arguments of the run, its state and the control, and by name `model`, `optimizer`, and whatever
    else the event is about (`logs`, `metrics`). Take `**kwargs`.
    """

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Before the first step."""

    def on_train_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """After the last step."""

    def on_epoch_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Before the first step of an epoch."""

    def on_epoch_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """After the last step of an epoch, before anything is logged, evaluated or saved."""

    def on_step_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Before a step."""

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """After a step, before anything is logged, evaluated or saved."""

    def on_log(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """After a record, `logs`, was logged."""

    def on_evaluate(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """After an evaluation in the course of training, which gave `metrics`."""

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """After a checkpoint was written."""


class CallbackHandler:
    """The callbacks of a run, and what all of them are told.

    Parameters
    ----------
    callbacks : iterable of TrainerCallback
        Objects, or classes of which one is made.
    args : TrainingArguments, optional
    **context
        Handed to each event by name.
    """

    def __init__(self, callbacks: Iterable[TrainerCallback | type] = (), args: Any = None, **context: Any) -> None:
        self.callbacks = [callback() if isinstance(callback, type) else callback for callback in callbacks]
        self.args = args
        self.context = context
        self.state = TrainerState()
        self.control = TrainerControl()
        for callback in self.callbacks:
            if not isinstance(callback, TrainerCallback):
                raise ConfigError(f"a callback must be a TrainerCallback, but one is a {type(callback).__name__}")

    def tell(self, event: str, **about: Any) -> None:
        """Call the method `event` of each callback, in their order."""
        for callback in self.callbacks:
            getattr(callback, event)(self.args, self.state, self.control, **self.context, **about)
