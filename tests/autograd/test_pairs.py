"""Rung 4 for what learns from pairs: sentence-transformers' losses, by hand in PyTorch on Hugging Face's models.

CosineSimilarityLoss is mse_loss(cos(u, v), score); MultipleNegativesRankingLoss is cross_entropy(20 cos(u_i, v_j), i).
Each text passes alone, without padding: what we pad must not be seen.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import transformers
from pair_cases import CASES, SCORES, build

from minibert.blocks.pair_losses import (
    contrastive_loss,
    contrastive_loss_backward,
    cosine_regression_loss,
    cosine_regression_loss_backward,
)

TOLERANCE = 1e-9


def torch_loss(u, v, scores, scale):
    if scores is not None:
        return F.mse_loss(F.cosine_similarity(u, v), torch.tensor(scores, dtype=torch.float64))
    cosines = F.normalize(u) @ F.normalize(v).T
    return F.cross_entropy(scale * cosines, torch.arange(len(u)))


@pytest.mark.parametrize("scores", [None, np.linspace(-1, 1, 5)])
def test_losses(scores):
    rng = np.random.default_rng(0)
    u, v = rng.normal(size=(2, 5, 7))
    tensors = [torch.tensor(x, requires_grad=True) for x in (u, v)]
    expected = torch_loss(*tensors, scores, 20.0)
    expected.backward()
    if scores is None:
        part, cache = contrastive_loss(u, v, 20.0, None)
        grads = contrastive_loss_backward(1.0, cache)
    else:
        part, cache = cosine_regression_loss(u, v, scores, None)
        grads = cosine_regression_loss_backward(1.0, cache)
    assert part.loss == pytest.approx(expected.item(), rel=1e-12)
    for ours, theirs in zip(grads, tensors, strict=True):
        np.testing.assert_allclose(ours, theirs.grad.numpy(), rtol=1e-12, atol=1e-13)


def vector(theirs, ids, pooling):
    hidden = theirs(torch.tensor(ids[None])).last_hidden_state[0]  # (T, D)
    return F.normalize(hidden.mean(0) if pooling == "mean" else hidden[0], dim=0)


@pytest.mark.parametrize("case", CASES)
def test_loss_and_every_gradient_of_the_whole_model(case, tmp_path):
    kind, pooling, loss = case
    model, batch = build(*case)
    model.encoder.model.save_pretrained(tmp_path)
    cls = transformers.BertModel if kind == "bert" else transformers.RobertaModel
    theirs = cls.from_pretrained(tmp_path, dtype=torch.float64).eval()
    found, grads = model.loss_and_grads(**batch)
    u, v = (
        torch.stack([
            vector(theirs, ids[mask == 1], pooling)
            for ids, mask in zip(batch["input_ids"][:, side], batch["attention_mask"][:, side], strict=True)
        ])
        for side in (0, 1)
    )  # fmt: skip
    expected = torch_loss(u, v, SCORES if loss == "cosine" else None, 5.0)
    expected.backward()
    assert found == pytest.approx(expected.item(), rel=1e-10)
    grads = model.to_hf(grads)
    wanted = {name: p.grad.numpy() for name, p in theirs.named_parameters() if "pooler" not in name}
    assert set(grads) == set(wanted)
    largest = max(abs(g).max() for g in wanted.values())
    for name, gradient in wanted.items():
        scale = max(abs(gradient).max(), 1e-6 * largest)
        assert abs(grads[name] - gradient).max() <= TOLERANCE * scale, name
