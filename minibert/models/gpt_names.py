"""The names of the parameters of GPT and GPT-2 in Hugging Face's checkpoints.

They come from OpenAI's code: the query, key and value projections are one tensor, and weights are (in, out).
The causal masks of old files (`attn.bias`, `attn.masked_bias`) hold nothing that is not known already: they
have no place here.
"""

from minibert.models.names import NameTable

GPT = {
    "embeddings.token": "tokens_embed.weight",
    "embeddings.position": "positions_embed.weight",
}

GPT2 = {
    "embeddings.token": "wte.weight",
    "embeddings.position": "wpe.weight",
    "final_norm.gamma": "ln_f.weight",
    "final_norm.beta": "ln_f.bias",
}

_IN_A_LAYER = {
    "attention.qkv.weight": "attn.c_attn.weight",
    "attention.qkv.bias": "attn.c_attn.bias",
    "attention.output.weight": "attn.c_proj.weight",
    "attention.output.bias": "attn.c_proj.bias",
    "attention_norm.gamma": "ln_1.weight",
    "attention_norm.beta": "ln_1.bias",
    "feed_forward.up.weight": "mlp.c_fc.weight",
    "feed_forward.up.bias": "mlp.c_fc.bias",
    "feed_forward.down.weight": "mlp.c_proj.weight",
    "feed_forward.down.bias": "mlp.c_proj.bias",
    "feed_forward_norm.gamma": "ln_2.weight",
    "feed_forward_norm.beta": "ln_2.bias",
}

TWIN = "lm_head.weight"  # the second name of the token table, which a tied head decodes with
PREFIX = "transformer."  # of a model with a head


def name_table(outside: dict[str, str], layers: int, prefix: str = "") -> NameTable:
    """Return {our name: (their name,)} for a model with that many layers; `outside` is GPT or GPT2 above."""
    table = {ours: (prefix + theirs,) for ours, theirs in outside.items()}
    for i in range(layers):
        for ours, theirs in _IN_A_LAYER.items():
            table[f"decoder.layers.{i}.{ours}"] = (f"{prefix}h.{i}.{theirs}",)
    return table


def without_prefix(name: str) -> str:
    """Return a checkpoint's name as the released files, which have no prefix, write it."""
    return name.removeprefix(PREFIX)
