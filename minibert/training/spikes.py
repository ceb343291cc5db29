"""Which steps are not taken: a loss or a gradient that is not finite, and outliers among the gradients' norms."""

import math
from collections import deque
from collections.abc import Iterable

SIZE = 100  # norms that an outlier is compared with
ENOUGH = 20  # norms before there are outliers


class GradientNorms:
    """The norms of the last gradients that were used.

    Parameters
    ----------
    threshold : float
        A norm is an outlier if it is more than so many standard deviations above the mean; 0: never.
    recent : iterable of float
        The last norms. An outlier is never among them, or the next one would pass for ordinary.
    """

    def __init__(self, threshold: float = 0.0, recent: Iterable[float] = ()) -> None:
        self.threshold = threshold
        self.recent = deque(recent, maxlen=SIZE)

    def add(self, norm: float) -> None:
        """Count the norm of a gradient that was used."""
        self.recent.append(norm)

    def limit(self) -> float:
        """Return the largest norm that is not an outlier: mean + threshold * deviation."""
        if not self.threshold or len(self.recent) < ENOUGH:
            return math.inf
        mean = math.fsum(self.recent) / len(self.recent)
        variance = math.fsum((norm - mean) ** 2 for norm in self.recent) / len(self.recent)
        return mean + self.threshold * math.sqrt(variance)


def why_skipped(loss: float, norm: float, limit: float) -> str | None:
    """Return why a step with this loss and this norm of its gradient is not taken, or None if it is."""
    if not math.isfinite(loss):
        return f"the loss is {loss}"
    if not math.isfinite(norm):
        return f"the gradient's norm is {norm}"
    if norm > limit:
        return f"the gradient's norm is {norm:.6g}, above {limit:.6g}, the limit that the last norms set"
    return None
