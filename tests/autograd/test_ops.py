"""Rung 4: every op, loss and gradient, against PyTorch's autograd in float64.

The two sum in another order; 1e-12 of the largest element holds for single ops.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from minibert import ops
from minibert.ops.dropout import keep_scale

RNG = np.random.default_rng(0)
X, RESIDUAL, GAMMA, BETA = RNG.normal(size=(3, 5, 7)), RNG.normal(size=(3, 5, 7)), *RNG.normal(size=(2, 7))
W, B = RNG.normal(size=(7, 9)), RNG.normal(size=9)
Q, K, V = RNG.normal(size=(2, 3, 5, 7)), RNG.normal(size=(2, 3, 11, 7)), RNG.normal(size=(2, 3, 11, 7))
BIAS, MASK = RNG.normal(size=(1, 3, 5, 11)), RNG.random((2, 1, 5, 11)) < 0.7
KEEP_TOKENS = np.array([[1, 1, 1, 0, 0], [0, 0, 0, 0, 0], [0, 1, 0, 1, 1]], bool)
LABELS = np.array([8, -100, 0, 3, -100])
KEEP = torch.tensor(keep_scale(X.shape, 0.3, 5, X.dtype))


def torch_attention(q, k, v, bias, scale, causal=False):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=scale, is_causal=causal)


CASES = {
    "linear": ((X, W, B), lambda x, w, b: F.linear(x, w.T, b)),
    "linear without bias": ((X, W), lambda x, w: F.linear(x, w.T)),
    "gelu": ((3 * X,), F.gelu),
    "gelu_tanh": ((3 * X,), lambda x: F.gelu(x, approximate="tanh")),
    "linear_gelu": ((X, W, B, False), lambda x, w, b, form: F.gelu(F.linear(x, w.T, b))),
    "feed_forward": (
        (X, W, B, W.T.copy(), GAMMA, True),
        lambda x, w1, b1, w2, b2, form: F.linear(F.gelu(F.linear(x, w1.T, b1), approximate="tanh"), w2.T, b2),
    ),
    "low_rank": (
        (X, W[:, :3], B[:3, None] * B, 0.7, 0.3, 5),
        lambda x, a, b, scale, rate, key: scale * F.linear(F.linear(KEEP * x, a.T), b.T),
    ),
    "tanh": ((X,), torch.tanh),
    "layer_norm": ((X, GAMMA, BETA, 1e-12), lambda x, g, b, eps: F.layer_norm(x, (7,), g, b, eps)),
    "mean_pooling": ((X, KEEP_TOKENS), lambda x, m: (x * m[:, :, None]).sum(1) / m.sum(1, keepdim=True).clamp(min=1)),
    "l2_normalise": ((X, 1e-12), lambda x, eps: F.normalize(x, dim=-1, eps=eps)),
    "add_norm": (
        (X, RESIDUAL, GAMMA, BETA, 1e-12, 0.3, 5),
        lambda x, r, g, b, eps, rate, key: F.layer_norm(r + KEEP * x, (7,), g, b, eps),
    ),
    "embedding": ((np.array([[3, 0, 3], [2, 1, 0]]), W), F.embedding),
    "attention": ((Q, K, V, None, 0.4), torch_attention),
    "attention with a bias": ((Q, K, V, BIAS, 0.4), torch_attention),
    "attention with causal order": ((Q, K[:, :, :5], V[:, :, :5], None, 0.4, True), torch_attention),
    "attention with a mask": ((Q, K, V, MASK, 0.4), torch_attention),
    "cross_entropy": ((RNG.normal(size=(5, 9)), LABELS), F.cross_entropy),
    "smoothed_cross_entropy": (
        (RNG.normal(size=(5, 9)), LABELS, 0.3),
        lambda z, labels, epsilon: F.cross_entropy(z, labels, label_smoothing=epsilon),
    ),
    "binary_cross_entropy": (
        (9 * RNG.normal(size=(5, 9)), (BIAS[0, 0, :, :9] > 0).astype(int)),
        lambda z, y: F.binary_cross_entropy_with_logits(z, y.to(z.dtype)),
    ),
    "mean_squared_error": (
        (RNG.normal(size=(5, 9)), np.arange(45).reshape(5, 9)),
        lambda z, y: F.mse_loss(z, y.double()),
    ),
    "linear_cross_entropy": (
        (RNG.normal(size=(5, 7)), W, B, LABELS),
        lambda x, w, b, labels: F.cross_entropy(F.linear(x, w.T, b), labels),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_op_agrees_with_autograd(case):
    args, reference = CASES[case]
    name = case.split(" with")[0]
    tensors = [torch.tensor(a) if isinstance(a, np.ndarray) else a for a in args]
    inputs = [t.requires_grad_() for t in tensors if isinstance(t, torch.Tensor) and t.is_floating_point()]
    expected = reference(*tensors)
    y, cache = getattr(ops, name)(*args)
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-12, atol=1e-12)

    dy = np.random.default_rng(1).normal(size=np.shape(y))
    expected.backward(torch.tensor(dy))
    grads = getattr(ops, f"{name}_backward")(dy, cache)
    grads = [g for g in (grads if isinstance(grads, tuple) else (grads,)) if g is not None]
    for ours, theirs in zip(grads, inputs, strict=True):
        np.testing.assert_allclose(ours, theirs.grad.numpy(), rtol=1e-12, atol=1e-12 * abs(ours).max())


def test_adamw_agrees_with_torch():
    theirs = torch.nn.Parameter(torch.tensor(W))
    optimizer = torch.optim.AdamW([theirs], lr=0.01, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.1)
    ours, m, v = W.copy(), np.zeros_like(W), np.zeros_like(W)
    for t in range(1, 6):
        g = np.random.default_rng(t).normal(size=W.shape)
        theirs.grad = torch.tensor(g)
        optimizer.step()
        ops.adamw([ours], [g], [m], [v], t, 0.01, 0.9, 0.98, 1e-6, 0.1, 1.0)
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-12)
