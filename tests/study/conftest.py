"""A study in seconds: reviews of a few words, recipes of one epoch, and a small model in the place of MiniLM."""

import json

import numpy as np
import pytest

import minibert
from minibert.study import recipes, starts

GOOD, BAD, OTHER = "great lovely", "awful boring", "the film was a long story about some people in town"


def rows(n, seed):
    """Reviews that are good or bad by one word among others."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        words = rng.choice(OTHER.split(), rng.integers(4, 30)).tolist()
        words[rng.integers(len(words))] = str(rng.choice((BAD, GOOD)[i % 2].split()))
        yield {"text": " ".join(words) + ".", "label": i % 2}


@pytest.fixture
def data(tmp_path):
    """A folder of labelled reviews in three splits."""
    folder = tmp_path / "reviews"
    folder.mkdir()
    for seed, (split, n) in enumerate({"train": 130, "validation": 20, "test": 40}.items()):
        lines = [json.dumps(row) + "\n" for row in rows(n, seed)]
        (folder / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


@pytest.fixture
def short(monkeypatch):
    """Recipes of one epoch; two learning rates where there were several."""
    for table in (recipes.SMALL, recipes.MINILM):
        for key, recipe in list(table.items()):
            rates = (1e-3, 1e-2)[: len(recipe.learning_rates)]
            monkeypatch.setitem(table, key, recipe._replace(learning_rates=rates, epochs=1))


@pytest.fixture
def minilm(tmp_path, monkeypatch):
    """A random model with MiniLM's classes."""
    folder = tmp_path / "minilm"
    words = sorted(set(f"{GOOD} {BAD} {OTHER} .".split()))
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    (tmp_path / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    tokenizer = minibert.BertTokenizer.from_pretrained(tmp_path / "vocab.txt")
    config = minibert.BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
        max_position_embeddings=64,
    )  # fmt: skip
    minibert.BertModel(config, seed=0).save_pretrained(folder, tokenizer)
    monkeypatch.setattr(starts, "minilm_folder", lambda: folder)
    return folder
