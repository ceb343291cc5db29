"""A small sentence encoder with its tokenizer, and sentences of several lengths."""

import numpy as np

import minibert
from minibert.data.tokenizer_training import train_tokenizer
from minibert.sentence_encoder.recipe import Recipe
from minibert.tree import tree_map

TEXTS = ["The quick brown fox jumps over the lazy dog.\nA cat sat on the mat."] * 4
SENTENCES = [
    "A cat sat.",
    "",
    "The quick brown fox jumps over the lazy dog.",
    "The dog.",
    "A lazy cat jumps over the mat, and the fox sat on the dog.",
    "The cat.",
    "A cat sat.",
]


def make(kind="bert", dtype="float64", recipe=None, positions=40):
    """An encoder whose weights are larger than in training, so that every term counts."""
    tokenizer = train_tokenizer("wordpiece", TEXTS, 80) if kind == "bert" else train_tokenizer("bpe", TEXTS, 280)
    if kind == "bert":
        config = minibert.BertConfig(len(tokenizer), 12, 2, 3, 20, max_position_embeddings=positions)
        model = minibert.BertModel(config, seed=1, dtype=dtype)
    else:
        config = minibert.RobertaConfig(len(tokenizer), 12, 2, 3, 20, max_position_embeddings=positions + 2)
        model = minibert.RobertaModel(config, seed=1, dtype=dtype)
    rng = np.random.default_rng(2)
    model.params = tree_map(lambda p: p + (0.3 * rng.normal(size=p.shape)).astype(p.dtype), model.params)
    return minibert.SentenceEncoder(model, tokenizer, recipe or Recipe(normalise=True))
