"""The names of BERT's parameters in Hugging Face's checkpoints."""

from minibert.models.names import NameTable

_OUTSIDE = {
    "embeddings.token": "bert.embeddings.word_embeddings.weight",
    "embeddings.position": "bert.embeddings.position_embeddings.weight",
    "embeddings.segment": "bert.embeddings.token_type_embeddings.weight",
    "embeddings.norm.gamma": "bert.embeddings.LayerNorm.weight",
    "embeddings.norm.beta": "bert.embeddings.LayerNorm.bias",
    "pooler.weight": "bert.pooler.dense.weight",
    "pooler.bias": "bert.pooler.dense.bias",
    "mlm_head.dense.weight": "cls.predictions.transform.dense.weight",
    "mlm_head.dense.bias": "cls.predictions.transform.dense.bias",
    "mlm_head.norm.gamma": "cls.predictions.transform.LayerNorm.weight",
    "mlm_head.norm.beta": "cls.predictions.transform.LayerNorm.bias",
    "mlm_head.bias": "cls.predictions.bias",
    "nsp_head.weight": "cls.seq_relationship.weight",
    "nsp_head.bias": "cls.seq_relationship.bias",
}

_IN_A_LAYER = {
    "attention.qkv.weight": [f"attention.self.{x}.weight" for x in ("query", "key", "value")],
    "attention.qkv.bias": [f"attention.self.{x}.bias" for x in ("query", "key", "value")],
    "attention.output.weight": ["attention.output.dense.weight"],
    "attention.output.bias": ["attention.output.dense.bias"],
    "attention_norm.gamma": ["attention.output.LayerNorm.weight"],
    "attention_norm.beta": ["attention.output.LayerNorm.bias"],
    "feed_forward.up.weight": ["intermediate.dense.weight"],
    "feed_forward.up.bias": ["intermediate.dense.bias"],
    "feed_forward.down.weight": ["output.dense.weight"],
    "feed_forward.down.bias": ["output.dense.bias"],
    "feed_forward_norm.gamma": ["output.LayerNorm.weight"],
    "feed_forward_norm.beta": ["output.LayerNorm.bias"],
}


# Second names of tied tensors: the decoder is the token table, its bias the head's.
TWINS = {
    "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}


def name_table(layers: int) -> NameTable:
    """Return {our name: their names}, for any class of BERT with that many layers."""
    table = {ours: (theirs,) for ours, theirs in _OUTSIDE.items()}
    for i in range(layers):
        for ours, theirs in _IN_A_LAYER.items():
            table[f"encoder.layers.{i}.{ours}"] = tuple(f"bert.encoder.layer.{i}.{name}" for name in theirs)
    return table


def canonical(name: str, prefix: str = "bert.") -> str:
    """Return a checkpoint's name as today's release with heads would write it.

    A BertModel is saved without the prefix `bert.`; the first releases called the parameters of a
    normalisation gamma and beta.
    """
    if name.startswith(("embeddings.", "encoder.", "pooler.")):
        name = prefix + name
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
