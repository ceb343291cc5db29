"""How long candidates take for one text, and for many: measured in turns, so that a busy moment hits all of them."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minibert.bench.timing import PAUSE

ROUNDS = 5  # turns of each candidate


class Speed(NamedTuple):
    """From the text to the answer, tokenizing included."""

    p50: float  # seconds for one text: half of the texts take less
    p95: float  # 19 of 20 take less
    per_second: float  # texts, in batches


def measure_speeds(candidates: dict[str, Callable[[list], Any]], singles: Sequence, many: list) -> dict[str, Speed]:
    """Return the speed of each candidate.

    A turn begins with a pause, in which the threads of the one before go to sleep, and with a call that does not count,
    which brings back what it needs. All candidates get the same texts in the same order.

    Parameters
    ----------
    candidates : {name: function of a list of inputs}
    singles : inputs that are timed one by one
    many : inputs that are timed together
    """
    alone: dict[str, list[float]] = {name: [] for name in candidates}
    together: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(ROUNDS):
        for name, predict in candidates.items():
            time.sleep(PAUSE)
            predict(list(singles[:1]))
            alone[name] += [seconds(predict, [given]) for given in singles[turn::ROUNDS]]
            together[name].append(seconds(predict, many))
    return {name: _speed(alone[name], together[name], len(many)) for name in candidates}


def seconds(predict: Callable[[list], Any], inputs: list) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    predict(inputs)
    return time.perf_counter() - start


def _speed(alone: list[float], together: list[float], n: int) -> Speed:
    p50, p95 = np.quantile(alone, [0.5, 0.95])
    return Speed(float(p50), float(p95), n / statistics.median(together))
