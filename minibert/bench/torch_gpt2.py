"""GPT-2's training step in PyTorch, written as well as we can: see `torch_bert`, whose ways it shares.

Imported only where PyTorch is installed. The modules bear the names of our parameters.
"""

import functools
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from minibert.bench.timing import Side
from minibert.bench.torch_bert import threads_text, training_step
from minibert.models.gpt2 import GPT2Config


class Layer(nn.Module):
    """A pre-norm decoder layer."""

    def __init__(self, config: GPT2Config, attend: Callable) -> None:
        super().__init__()
        D, inner, eps = config.n_embd, config.inner_width, config.layer_norm_epsilon
        self.heads, self.rate, self.attend = config.n_head, config.resid_pdrop, attend
        self.attention_norm = nn.LayerNorm(D, eps)
        self.attention = nn.ModuleDict({"qkv": nn.Linear(D, 3 * D), "output": nn.Linear(D, D)})
        self.feed_forward_norm = nn.LayerNorm(D, eps)
        self.feed_forward = nn.ModuleDict({"up": nn.Linear(D, inner), "down": nn.Linear(inner, D)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, D)  ->  (B, T, D)."""
        B, T, D = x.shape
        qkv = self.attention["qkv"](self.attention_norm(x)).view(B, T, 3, self.heads, D // self.heads)
        out = self.attend(*qkv.permute(2, 0, 3, 1, 4).unbind(0))  # (B, H, T, K)
        a = self.attention["output"](out.transpose(1, 2).reshape(B, T, D))
        h = F.dropout(a, self.rate, inplace=True).add_(x)
        up = self.feed_forward["up"](self.feed_forward_norm(h))
        f = self.feed_forward["down"](F.gelu(up, approximate="tanh"))
        return F.dropout(f, self.rate, inplace=True).add_(h)


class GPT2(nn.Module):
    """GPT-2 with its tied head; calling it returns the loss."""

    def __init__(self, config: GPT2Config, attend: Callable) -> None:
        super().__init__()
        D, V = config.n_embd, config.vocab_size
        self.rate = config.embd_pdrop
        self.embeddings = nn.ModuleDict({"token": nn.Embedding(V, D), "position": nn.Embedding(config.n_positions, D)})
        self.decoder = nn.ModuleDict({"layers": nn.ModuleList(Layer(config, attend) for _ in range(config.n_layer))})
        self.final_norm = nn.LayerNorm(D, config.layer_norm_epsilon)
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=config.initializer_range)

    def forward(self, input_ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the loss: the state at t predicts token t + 1, so no logits are made at the last one."""
        E = self.embeddings
        x = E["token"](input_ids).add_(E["position"].weight[: input_ids.shape[1]])  # (B, T, D)
        x = F.dropout(x, self.rate, inplace=True)
        for layer in self.decoder["layers"]:
            x = layer(x)
        rows = self.final_norm(x[:, :-1].flatten(0, 1))  # (B (T - 1), D)
        return F.cross_entropy(F.linear(rows, E["token"].weight), labels[:, 1:].flatten())


def fused_attention(rate: float, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """PyTorch's own attention. With dropout it has no tiled form on a CPU, and falls back to products."""
    return F.scaled_dot_product_attention(q, k, v, dropout_p=rate, is_causal=True)


def written_out_attention(rate: float, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """The same in a few lines, which for short sequences is sometimes the faster one."""
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)  # (B, H, T, T)
    return F.dropout(F.softmax(scores + _future(q.shape[2]), -1), rate) @ v


@functools.cache
def _future(T: int) -> torch.Tensor:
    """(T, T) with minus infinity above the diagonal."""
    return torch.full((T, T), -torch.inf).triu(1)


WAYS = {"sdpa": fused_attention, "written out": written_out_attention}


def our_variants(config: GPT2Config, batch: dict[str, np.ndarray], threads: list[int]) -> dict[str, Side]:
    """Return the step of the model above, one model for each way to attend, each with several numbers of threads."""
    tensors = {name: torch.from_numpy(array) for name, array in batch.items()}
    sides = {}
    for name, attend in WAYS.items():
        model = GPT2(config, functools.partial(attend, config.attn_pdrop))
        for n in threads:
            sides[f"{name}, {threads_text(n)}"] = training_step(model, lambda model: model(**tensors), n)
    return sides


def hugging_face_variants(config: GPT2Config, batch: dict[str, np.ndarray], threads: list[int]) -> dict[str, Side]:
    """Return the step of the stock model with its own loss, with the same optimizer."""
    import transformers

    tensors = {name: torch.from_numpy(array) for name, array in batch.items()}
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**config.to_dict())).train()
    return {threads_text(n): training_step(model, lambda model: model(**tensors).loss, n) for n in threads}
