"""A task that can be learned in seconds: which of two words is in the text."""

import numpy as np

import minibert
from minibert.tree import flatten

V, WORDS = 23, (5, 6)


def model(seed=0, dtype="float32", dropout=0.1, kind=minibert.BertForSequenceClassification, **fields):
    config = minibert.BertConfig(
        vocab_size=V, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24,
        max_position_embeddings=12, initializer_range=0.1,
        hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout, **fields,
    )  # fmt: skip
    return kind(config, seed, dtype)


def examples(n, seed=0):
    """Texts of 3 to 9 tokens, one of which tells the label."""
    rng, rows = np.random.default_rng(seed), []
    for _ in range(n):
        ids = rng.integers(7, V, rng.integers(3, 10))
        label = int(rng.integers(2))
        ids[rng.integers(1, len(ids))] = WORDS[label]
        rows.append({"text": "not for the model", "input_ids": ids.tolist(), "label": label})
    return rows


def arguments(folder, **options):
    defaults = {"save_strategy": "no", "learning_rate": 1e-2, "num_train_epochs": 2, "per_device_train_batch_size": 8}
    return minibert.TrainingArguments(folder, **{**defaults, **options})


def accuracy(prediction):
    predictions, labels = prediction
    return {"accuracy": (predictions.argmax(-1) == labels).mean()}


def same(a, b):
    return all(np.array_equal(array, flatten(b)[name]) for name, array in flatten(a).items())
