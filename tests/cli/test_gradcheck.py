"""`minibert gradcheck` of each kind of model."""

import pytest

from minibert.cli.small_models import MODELS


@pytest.mark.parametrize(("model", "loss"), [(name, loss) for name, (_, _, loss) in MODELS.items()])
def test_every_kind_of_model_passes(command, model, loss):
    result = command("gradcheck", "--model", model, "--samples", "1", "--backend", "numpy")
    assert result.code == 0
    assert f"loss = {loss} of a " in result.out
    assert "layers.1.feed_forward.down.weight" in result.out
    assert "All gradients agree" in result.out
