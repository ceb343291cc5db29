"""Steps to walk through: what the tests of explanations and of the page share."""

import numpy as np
from adapter_cases import adapted
from model_cases import build

import minibert
from minibert.view import StepThrough

NAMES = ("bert", "gpt2", "gpt", "roberta")
DROPOUT = (0, 1)


def bert_and_batch(dtype="float64"):
    config = minibert.BertConfig(
        vocab_size=11, hidden_size=6, num_hidden_layers=2, num_attention_heads=3, intermediate_size=10,
        max_position_embeddings=9, initializer_range=0.3,
    )  # fmt: skip
    batch = {
        "input_ids": np.array([[2, 7, 4, 9, 3], [2, 5, 6, 3, 0]]),
        "attention_mask": np.array([[1, 1, 1, 1, 1], [1, 1, 1, 1, 0]]),
        "token_type_ids": np.array([[0, 0, 0, 1, 1], [0, 0, 1, 1, 0]]),
        "labels": np.array([[-100, -100, 8, -100, -100], [-100, 6, -100, 7, -100]]),
        "next_sentence_label": np.array([0, 1]),
    }
    return minibert.BertForPreTraining(config, seed=1, dtype=dtype), batch


def steps(name, dropout_key=DROPOUT):
    model, batch = adapted("bert", "lora") if name == "lora" else bert_and_batch() if name == "bert" else build(name)
    return StepThrough(model, batch, dropout_key=dropout_key)


def larger_bert(size="bert-tiny", T=40, V=3000, **changes):
    """Arrays of which a page shows a part, as of the vocabulary."""
    rng = np.random.default_rng(0)
    model = minibert.BertForPreTraining(minibert.BertConfig.named(size, vocab_size=V, **changes), seed=0)
    ids = rng.integers(5, V, (1, T))
    masked = rng.choice(T, T // 7, replace=False)
    labels = np.full((1, T), -100)
    labels[0, masked] = ids[0, masked]
    ids[0, masked] = 4
    return StepThrough(model, {"input_ids": ids, "labels": labels, "next_sentence_label": [1]})
