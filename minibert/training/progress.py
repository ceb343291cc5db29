"""Where a run is between two steps: with parameters, optimizer and data all that its future depends on."""

from dataclasses import dataclass, field
from typing import Any, Self

from minibert.errors import CheckpointError
from minibert.fields import check_type, from_json
from minibert.models.base import Losses
from minibert.training.log import Window
from minibert.training.spikes import GradientNorms


@dataclass
class Progress:
    """A plain value: the loop moves it on, a checkpoint holds it."""

    step: int = 0  # steps that are over, those that were skipped among them
    taken: int = 0  # steps that changed the parameters
    total: float = 0.0  # the sum of their losses
    skipped_in_a_row: int = 0
    window: Window = field(default_factory=Window)  # what the next line of the log is about
    norms: GradientNorms = field(default_factory=GradientNorms)

    def take(self, step: int, losses: Losses, grad_norm: float, tokens: int) -> None:
        """Count a step that was taken."""
        self.step, self.taken, self.total = step, self.taken + 1, self.total + losses.total
        self.skipped_in_a_row = 0
        self.window.add(losses, grad_norm, tokens)
        self.norms.add(grad_norm)

    def skip(self, step: int) -> None:
        """Count a step that was not taken."""
        self.step = step
        self.skipped_in_a_row += 1

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` reads; JSON keeps every bit of a float."""
        more = {"window": self.window.to_dict(), "norms": list(self.norms.recent)}
        return {**vars(self), **more}

    @classmethod
    def from_dict(cls, values: dict[str, Any], threshold: float = 0.0, where: str = "progress") -> Self:
        """Return the value again; `threshold` is that of `GradientNorms`.

        Raises `CheckpointError`, which says `where`, if it is not what `to_dict` returned.
        """
        window, norms = Window.from_dict(values.get("window"), where), values.get("norms")
        check_type("norms", norms, list[float], where)
        progress = from_json(cls, {**values, "window": window, "norms": GradientNorms(threshold, norms)}, where)
        if min(progress.step, progress.taken, progress.skipped_in_a_row) < 0:
            raise CheckpointError(f"{where}: a number of steps is negative")
        return progress
