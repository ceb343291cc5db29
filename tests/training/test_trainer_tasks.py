"""`Trainer` with every head: labels of every kind go through collating, training and prediction."""

import numpy as np
import pytest
from task_cases import PROBLEMS, build, rows_of
from trainer_cases import arguments

from minibert import Trainer


@pytest.mark.parametrize("name", PROBLEMS)
def test_loss_and_scores_are_those_of_the_model(name, tmp_path):
    model, batch = build(name)
    # A span has two losses, with different numbers of targets: one number a batch cannot weigh both. Its softmax is
    # over all places of a batch, too.
    size = 3 if "spans" in name else 2
    trainer = Trainer(model, arguments(tmp_path, per_device_eval_batch_size=size))
    predictions, label_ids, metrics = trainer.predict(rows_of(batch))
    output = model(**batch)
    assert metrics["test_loss"] == pytest.approx(output.loss, rel=1e-12)
    scores = [output[key] for key in output if key.endswith("logits")]
    per_token = any(kind in name for kind in ("Token", "spans"))
    for ours, expected in zip(predictions if len(scores) > 1 else [predictions], scores, strict=True):
        shown = batch["attention_mask"].astype(bool) if per_token else slice(None)
        np.testing.assert_allclose(ours[shown], expected[shown], rtol=1e-10, atol=1e-12)
    labels = label_ids if isinstance(label_ids, tuple) else (label_ids,)
    for ours, key in zip(labels, model.labels, strict=True):
        np.testing.assert_array_equal(ours, batch[key])


# The softmax of a span is over all places of a batch, padding among them: parts of other lengths are another loss.
@pytest.mark.parametrize("name", [name for name in PROBLEMS if "spans" not in name])
def test_parts_of_a_batch_train_to_what_the_whole_does(name, tmp_path):
    params, losses = [], []
    for size, parts in ((3, 1), (1, 3)):
        model, batch = build(name)
        for field in vars(model.config):
            if field.endswith(("dropout", "dropout_prob", "pdrop")):
                setattr(model.config, field, 0.0)  # it is drawn by batch
        a = arguments(tmp_path, per_device_train_batch_size=size, gradient_accumulation_steps=parts, num_train_epochs=5)
        trainer = Trainer(model, a, train_dataset=rows_of(batch))
        before = trainer.predict(rows_of(batch)).metrics["test_loss"]
        trainer.train()
        losses.append((before, trainer.predict(rows_of(batch)).metrics["test_loss"]))
        params.append(model.to_hf())
    assert losses[0][1] < losses[0][0]
    assert losses[0][1] == pytest.approx(losses[1][1], rel=1e-6)
    for key, array in params[0].items():  # AdamW divides by the gradient's size: see test_trainer.py
        np.testing.assert_allclose(params[1][key], array, rtol=0, atol=1e-6, err_msg=key)
