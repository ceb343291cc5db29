"""Steps that are not taken, and what the log says of them."""

import math

import numpy as np
import pytest

from minibert.errors import TrainingError
from minibert.models.base import Losses
from minibert.training.log import RunLog, read_log
from minibert.training.loop import LoopSettings, train
from minibert.training.optimizer import AdamW
from minibert.training.progress import Progress
from minibert.training.spikes import ENOUGH, SIZE, GradientNorms


class Planned:
    """A model whose losses and gradients are planned: each batch says its loss and its gradient."""

    def __init__(self):
        self.params = {"w": np.zeros(1)}

    def count_targets(self, batch):
        return {}

    def losses_and_grads(self, batch, dropout, counts):
        return Losses(batch["loss"], {}), {"w": np.array([batch["gradient"]])}


def run(folder, plan, threshold=0.0, **settings):
    model = Planned()
    settings = LoopSettings(len(plan), log_every=1, eval_every=0, eval_on_start=False, **settings)
    steps = iter([{"loss": loss, "gradient": gradient}] for loss, gradient in plan)
    progress = Progress(norms=GradientNorms(threshold))
    with RunLog(folder, len(plan), progress=False) as log:
        mean = train(model, AdamW(model.params), steps, lambda s: 0.1, settings, log, None, None, progress=progress)
    return model, mean, progress, read_log(folder)


@pytest.mark.parametrize("bad", [(math.nan, 1.0), (math.inf, 1.0), (1.0, math.nan), (1.0, -math.inf)])
def test_a_step_that_is_not_finite_is_as_if_it_had_not_been(tmp_path, bad):
    good = [(2.0, 0.5), (4.0, -0.25), (6.0, 1.0)]
    with_bad, mean, progress, log = run(tmp_path, [*good[:2], bad, good[2]])
    without, *_ = run(tmp_path / "..", good)
    assert with_bad.params["w"] == without.params["w"]
    assert (mean, progress.taken, progress.step) == (4.0, 3, 4)
    what = f"the loss is {bad[0]}" if not math.isfinite(bad[0]) else f"the gradient's norm is {abs(bad[1])}"
    assert log[2] == {"step": 3, "skipped": what}
    assert [record.get("loss") for record in log] == [2.0, 4.0, None, 6.0]
    assert "NaN" not in (tmp_path / "log.jsonl").read_text()


def test_so_many_in_a_row_end_the_run_but_not_as_many_apart(tmp_path):
    good, bad = (1.0, 1.0), (math.nan, 1.0)
    run(tmp_path, [bad, bad, good, bad, bad, good], max_skipped_steps=3)
    with pytest.raises(TrainingError, match=r"step 5: the loss is nan. This and the 2 steps before it were not taken"):
        run(tmp_path, [bad, good, bad, bad, bad, good], max_skipped_steps=3)


def test_outliers_are_skipped_and_do_not_move_the_limit(tmp_path):
    ordinary = [(1.0, 1.0 + 0.1 * (i % 2)) for i in range(2 * ENOUGH)]
    spikes = [(1.0, 50.0)] * 4
    _, _, progress, log = run(tmp_path, [*ordinary, *spikes, (1.0, 1.05)], threshold=4.0)
    skipped = [record for record in log if "skipped" in record]
    assert [record["step"] for record in skipped] == [2 * ENOUGH + i for i in (1, 2, 3, 4)]
    limit = 1.05 + 4 * 0.05
    assert all(f"norm is 50, above {limit:.6g}" in record["skipped"] for record in skipped)  # the fourth as the first
    assert max(progress.norms.recent) < 2
    assert log[-1]["loss"] == 1.0  # the run goes on
    _, _, progress, log = run(tmp_path, [*ordinary, *spikes], threshold=0.0)
    assert not [record for record in log if "skipped" in record]  # unless it is asked for


def test_there_are_no_outliers_before_there_are_norms_to_compare_with():
    norms = GradientNorms(3.0)
    for i in range(ENOUGH):
        assert norms.limit() == math.inf
        norms.add(float(i % 2))
    assert norms.limit() == pytest.approx(0.5 + 3 * 0.5, rel=1e-12)
    for _ in range(SIZE):
        norms.add(7.0)
    assert norms.limit() == 7.0  # of the last ones only
