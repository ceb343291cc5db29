"""The other side of each op: the same work in PyTorch, with its autograd. Imported only where PyTorch is installed.

A weight is laid out as PyTorch's layers lay it out, (out, in) in memory; here it is seen through a transposing
view, so that it has our shape, (in, out), and no side copies anything.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from minibert.bench.optimizer_case import MAX_GRAD_NORM, SETTINGS
from minibert.bench.timing import Side

# which arguments are weights
WEIGHTS = {"linear": (1,), "linear_gelu": (1,), "feed_forward": (1, 3), "linear_cross_entropy": (1,)}
THREADS = torch.get_num_threads()
use_all_threads = functools.partial(torch.set_num_threads, THREADS)


def _attention(q, k, v, bias, scale, causal, rate, key):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=scale, is_causal=causal, dropout_p=rate)


def _add_norm(x, residual, gamma, beta, eps, rate, key):
    dropped = F.dropout(x, rate) if rate else x
    return F.layer_norm(residual + dropped, gamma.shape, gamma, beta, eps)


def _gelu(x, tanh_form):
    return F.gelu(x, approximate="tanh" if tanh_form else "none")


FUNCTIONS: dict[str, Callable] = {
    "linear": lambda x, w, b: F.linear(x, w.T, b),
    "linear_gelu": lambda x, w, b, tanh: _gelu(F.linear(x, w.T, b), tanh),
    "feed_forward": lambda x, w1, b1, w2, b2, tanh: F.linear(_gelu(F.linear(x, w1.T, b1), tanh), w2.T, b2),
    "attention": _attention,
    "layer_norm": lambda x, gamma, beta, eps: F.layer_norm(x, gamma.shape, gamma, beta, eps),
    "add_norm": _add_norm,
    "linear_cross_entropy": lambda x, w, b, labels: F.cross_entropy(F.linear(x, w.T, b), labels),
    "cross_entropy": F.cross_entropy,
    "embedding": F.embedding,
    "dropout": lambda x, rate, key: F.dropout(x, rate),
    "gelu": lambda x: _gelu(x, False),
    "gelu_tanh": lambda x: _gelu(x, True),
    "tanh": torch.tanh,
}


def torch_side(op: str, args: tuple[Any, ...], dy: np.ndarray) -> Side:
    """Return forward and backward of an op: the result, and the gradients in the order of the arguments."""
    tensors = [
        torch.from_numpy(np.asfortranarray(a) if i in WEIGHTS.get(op, ()) else a) if isinstance(a, np.ndarray) else a
        for i, a in enumerate(args)
    ]
    leaves = [t.requires_grad_() for t in tensors if isinstance(t, torch.Tensor) and t.is_floating_point()]
    cotangent, function = torch.as_tensor(dy), FUNCTIONS[op]

    def run() -> tuple[torch.Tensor, ...]:
        y = function(*tensors)
        return y, *torch.autograd.grad(y, leaves, cotangent)

    return Side(run, use_all_threads)


def product(a: np.ndarray, b: np.ndarray) -> Side:
    """Return a product of two arrays, without autograd."""
    left, right = torch.from_numpy(a), torch.from_numpy(b)
    return Side(lambda: (left @ right,), use_all_threads)


def adamw(params: dict[str, np.ndarray], grads: dict[str, np.ndarray]) -> Side:
    """Return one step of fused AdamW with clipping."""
    tensors = {name: torch.nn.Parameter(torch.from_numpy(p)) for name, p in params.items()}
    for name, parameter in tensors.items():
        parameter.grad = torch.from_numpy(grads[name])
    optimizer = make_optimizer(tensors.values())

    def run() -> tuple[torch.Tensor, ...]:
        torch.nn.utils.clip_grad_norm_(tensors.values(), MAX_GRAD_NORM, foreach=True)
        optimizer.step()
        return tuple(p.detach() for p in tensors.values())

    return Side(run, use_all_threads)


def make_optimizer(parameters: Any) -> torch.optim.Optimizer:
    """Return fused AdamW that decays matrices and tables only, as `minibert.AdamW` does."""
    parameters = list(parameters)
    groups = [
        {"params": [p for p in parameters if p.ndim > 1]},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, **SETTINGS, fused=True)
