"""What each rank does while the bench measures how training scales; rank 0 prints the seconds as JSON."""

import json
import statistics
import sys
import time
from typing import Any

from minibert import dispatch
from minibert.bench.optimizer_case import MAX_GRAD_NORM, SETTINGS
from minibert.bench.sizes import Sizes
from minibert.bench.steps import random_batch
from minibert.distributed import World, world
from minibert.models.bert_heads import BertForPreTraining
from minibert.training.accumulation import accumulate
from minibert.training.optimizer import AdamW

WARM_UP = 2  # steps that are not counted


def measure(ranks: World, sizes: dict[str, Any], steps: int, backend: str) -> dict[str, float]:
    """Return the median seconds of what makes a step: gradients, sums over the ranks included; those alone; update.

    `sizes` are those of a rank: together they take a batch that is `ranks.size` times as large.
    """
    dispatch.set_backend(backend)
    own = Sizes(**sizes)
    batch = random_batch(Sizes(**{**sizes, "batch_size": own.batch_size * ranks.size}))
    model = BertForPreTraining(own.config())
    optimizer = AdamW(model.params, **SETTINGS)
    seconds: dict[str, list[float]] = {"gradients": [], "sums": [], "update": []}
    for _ in range(WARM_UP + steps):
        marks = [time.perf_counter()]
        _, grads = accumulate(model, [batch], (0, optimizer.t), ranks)
        marks.append(time.perf_counter())
        ranks.sum_gradients(grads)
        marks.append(time.perf_counter())
        optimizer.step(grads, MAX_GRAD_NORM)
        marks.append(time.perf_counter())
        for times, start, end in zip(seconds.values(), marks, marks[1:], strict=False):
            times.append(end - start)
    return {name: statistics.median(times[WARM_UP:]) for name, times in seconds.items()}


if __name__ == "__main__":
    with world() as ranks:
        print(json.dumps(measure(ranks, **json.loads(sys.argv[1]))))
