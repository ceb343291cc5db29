"""The loss that `Trainer` minimises with label smoothing, against Hugging Face's, and its gradient by the logits."""

import numpy as np
import pytest
from trainer_cases import arguments, examples, model

from minibert import Trainer

pytestmark = pytest.mark.oracle


def test_label_smoothing(tmp_path):
    torch = pytest.importorskip("torch")
    smoother = pytest.importorskip("transformers.trainer_pt_utils").LabelSmoother(epsilon=0.15)
    m, rows = model(dtype="float64", dropout=0.0), examples(24)
    options = {"max_steps": 1, "learning_rate": 0.0, "per_device_train_batch_size": 24}
    trainer = Trainer(m, arguments(tmp_path, label_smoothing_factor=0.15, **options), train_dataset=rows)
    predictions, label_ids, metrics = trainer.predict(rows)
    logits = torch.tensor(predictions, requires_grad=True)
    loss = smoother({"logits": logits}, torch.tensor(label_ids))
    loss.backward()
    # It sums log p in float32 ...
    assert metrics["test_loss"] == pytest.approx(loss.item(), rel=1e-6)
    assert trainer.train().training_loss == pytest.approx(metrics["test_loss"], rel=1e-12)
    # ... but its gradient is exact.
    ours = m.loss_backward(m.loss(predictions, {"labels": label_ids}, {}, 0.15)[1])
    np.testing.assert_allclose(ours, logits.grad.numpy(), rtol=1e-6, atol=1e-12)
