"""BERT's pre-training step in PyTorch, written as well as we can. Imported only where PyTorch is installed.

One fused projection for query, key and value, `F.scaled_dot_product_attention`, the vocabulary head on masked
positions only, dropout and residual sums in place where autograd allows it, fused AdamW, clipping with `foreach`,
gradients dropped instead of zeroed. It is eager PyTorch: compiling needs a C++ compiler, which a user of a wheel
may not have. The modules bear the names of our parameters.
"""

import functools
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from minibert.bench.optimizer_case import MAX_GRAD_NORM
from minibert.bench.timing import Side
from minibert.bench.torch_ops import make_optimizer
from minibert.models.bert import BertConfig
from minibert.tree import Tree, tree_items


class Layer(nn.Module):
    """A post-norm encoder layer."""

    def __init__(self, config: BertConfig, attend: Callable) -> None:
        super().__init__()
        D, inner, eps = config.hidden_size, config.intermediate_size, config.layer_norm_eps
        self.heads, self.rate, self.attend = config.num_attention_heads, config.hidden_dropout_prob, attend
        self.attention = nn.ModuleDict({"qkv": nn.Linear(D, 3 * D), "output": nn.Linear(D, D)})
        self.attention_norm = nn.LayerNorm(D, eps)
        self.feed_forward = nn.ModuleDict({"up": nn.Linear(D, inner), "down": nn.Linear(inner, D)})
        self.feed_forward_norm = nn.LayerNorm(D, eps)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, D)  ->  (B, T, D)."""
        B, T, D = x.shape
        qkv = self.attention["qkv"](x).view(B, T, 3, self.heads, D // self.heads)
        out = self.attend(*qkv.permute(2, 0, 3, 1, 4).unbind(0))  # (B, H, T, K)
        a = self.attention["output"](out.transpose(1, 2).reshape(B, T, D))
        h = self.attention_norm(F.dropout(a, self.rate, inplace=True).add_(x))
        f = self.feed_forward["down"](F.gelu(self.feed_forward["up"](h)))
        return self.feed_forward_norm(F.dropout(f, self.rate, inplace=True).add_(h))


class Bert(nn.Module):
    """BERT with both pre-training heads; calling it returns the loss."""

    def __init__(self, config: BertConfig, attend: Callable) -> None:
        super().__init__()
        D, V, eps = config.hidden_size, config.vocab_size, config.layer_norm_eps
        self.rate, positions = config.hidden_dropout_prob, config.max_position_embeddings
        self.embeddings = nn.ModuleDict(
            {
                "token": nn.Embedding(V, D),
                "position": nn.Embedding(positions, D),
                "segment": nn.Embedding(config.type_vocab_size, D),
                "norm": nn.LayerNorm(D, eps),
            }
        )
        layers = nn.ModuleList(Layer(config, attend) for _ in range(config.num_hidden_layers))
        self.encoder = nn.ModuleDict({"layers": layers})
        self.pooler, self.nsp_head = nn.Linear(D, D), nn.Linear(D, 2)
        self.mlm_head = nn.ModuleDict({"dense": nn.Linear(D, D), "norm": nn.LayerNorm(D, eps)})
        self.mlm_head.bias = nn.Parameter(torch.zeros(V))
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=config.initializer_range)

    def forward(
        self,
        input_ids: torch.Tensor,
        token_type_ids: torch.Tensor,
        labels: torch.Tensor,
        next_sentence_label: torch.Tensor,
    ) -> torch.Tensor:
        """Return the sum of both losses."""
        E = self.embeddings
        x = E["token"](input_ids) + E["position"].weight[: input_ids.shape[1]]  # (B, T, D)
        x = F.dropout(E["norm"](x.add_(E["segment"](token_type_ids))), self.rate)
        for layer in self.encoder["layers"]:
            x = layer(x)
        rows = (labels.view(-1) >= 0).nonzero().squeeze(1)  # (M,)
        masked = x.view(-1, x.shape[-1]).index_select(0, rows)  # (M, D)
        t = self.mlm_head["norm"](F.gelu(self.mlm_head["dense"](masked)))
        words = F.linear(t, E["token"].weight, self.mlm_head.bias)  # (M, V)
        order = self.nsp_head(torch.tanh(self.pooler(x[:, 0])))  # (B, 2)
        return F.cross_entropy(words, labels.view(-1)[rows]) + F.cross_entropy(order, next_sentence_label)


def fused_attention(rate: float, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """PyTorch's own attention. With dropout it has no tiled form on a CPU, and falls back to products."""
    return F.scaled_dot_product_attention(q, k, v, dropout_p=rate)


def written_out_attention(rate: float, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """The same in four lines, which with dropout is sometimes the faster one."""
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)  # (B, H, T, T)
    return F.dropout(F.softmax(scores, -1), rate) @ v


def load(model: nn.Module, params: Tree) -> None:
    """Give the model our parameters: for the test that both sides compute the same."""
    theirs = dict(model.named_parameters())
    with torch.no_grad():
        for name, array in tree_items(params):
            theirs[torch_name(name)].copy_(torch.from_numpy(array.T if name.endswith(".weight") else array))


def torch_name(name: str) -> str:
    """Return the name here of one of our parameters."""
    name = name.replace(".gamma", ".weight").replace(".beta", ".bias")
    return f"{name}.weight" if name in ("embeddings.token", "embeddings.position", "embeddings.segment") else name


def training_step(model: nn.Module, loss: Callable[[nn.Module], torch.Tensor], threads: int) -> Side:
    """Return forward, backward, clipping and AdamW; running it returns the loss of the batch."""
    optimizer = make_optimizer(model.parameters())

    def run() -> float:
        value = loss(model)
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), MAX_GRAD_NORM, foreach=True)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return value.item()

    return Side(run, functools.partial(torch.set_num_threads, threads))


def threads_text(n: int) -> str:
    """Return "1 thread", "2 threads"."""
    return f"{n} thread{'s' * (n > 1)}"


def our_variants(config: BertConfig, batch: dict[str, np.ndarray], threads: list[int]) -> dict[str, Side]:
    """Return the step of the model above, one model for each way to attend, each with several numbers of threads."""
    tensors = {name: torch.from_numpy(array) for name, array in batch.items()}
    rate = config.attention_probs_dropout_prob
    ways = {"sdpa": fused_attention, **({"written out": written_out_attention} if rate else {})}
    sides = {}
    for name, attend in ways.items():
        model = Bert(config, functools.partial(attend, rate))
        for n in threads:
            sides[f"{name}, {threads_text(n)}"] = training_step(model, lambda model: model(**tensors), n)
    return sides


def hugging_face_variants(config: BertConfig, batch: dict[str, np.ndarray], threads: list[int]) -> dict[str, Side]:
    """Return the step of the stock model with its own loss, with the same optimizer."""
    import transformers

    tensors = {name: torch.from_numpy(array) for name, array in batch.items()}
    model = transformers.BertForPreTraining(transformers.BertConfig(**config.to_dict())).train()
    return {threads_text(n): training_step(model, lambda model: model(**tensors).loss, n) for n in threads}
