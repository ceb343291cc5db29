"""Ctrl-C and SIGTERM: the step is finished, the run is saved, and only then it ends."""

import signal
import sys
import threading
from typing import Any, Self

from minibert.distributed import ALONE, World
from minibert.errors import TrainingStopped
from minibert.training.callbacks import TrainerCallback, TrainerControl, TrainerState

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopOnSignal(TrainerCallback):
    """In a `with` block, the first signal asks for a checkpoint and an end; a second one does what it always did.

    Signals reach the main thread only, and a handler can be set there only: elsewhere it does nothing. A signal that
    reaches one rank of a `world` stops all of them after the same step.
    """

    def __init__(self, world: World = ALONE) -> None:
        self.world = world
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self.received = None
        if threading.current_thread() is threading.main_thread():
            handlers = {number: signal.getsignal(number) for number in SIGNALS}
            self._before = {n: handler for n, handler in handlers.items() if handler not in (None, signal.SIG_IGN)}
            for number in self._before:
                signal.signal(number, self._note)
        return self

    def __exit__(self, *error: Any) -> None:
        self._give_back()

    def _note(self, number: int, frame: Any) -> None:
        self.received = number
        self._give_back()
        name = signal.Signals(number).name
        print(f"\n{name}: finishing this step and saving; once more ends at once", file=sys.stderr, flush=True)

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Save and stop."""
        if number := self.world.largest(self.received or 0):
            self.received = number
            control.should_save = control.should_training_stop = True

    def check(self, state: TrainerState, how_to_go_on: str) -> None:
        """Raise `TrainingStopped` if the run was stopped before its end."""
        if self.received and state.global_step < state.max_steps:
            name = signal.Signals(self.received).name
            raise TrainingStopped(f"{name} after step {state.global_step}: saved; {how_to_go_on}", self.received)
