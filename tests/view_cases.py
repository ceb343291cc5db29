"""Steps to walk through, and a run to look at: what the tests of views share."""

import numpy as np
import pytest
import sentence_cases
import task_cases
from adapter_cases import adapted
from model_cases import build

import minibert
from minibert.cli import main
from minibert.sentence_encoder.fit import pair_batch, pairs_model
from minibert.view import StepThrough

NAMES = ("bert", "gpt2", "gpt", "roberta")
TASKS = ("one label", "smoothed", "several labels", "a number", "numbers")  # of sequence classification
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


def task_steps(name, dropout_key=DROPOUT):
    return StepThrough(*task_cases.build(name), dropout_key=dropout_key)


def pair_steps(scored, dropout_key=DROPOUT):
    """Two sentences a pair: how alike they are is known, or that they belong together."""
    encoder = sentence_cases.make()
    pairs, scores = [("A cat sat.", "The cat."), ("The dog.", "A lazy cat sat."), ("The fox", "A fox")], [0.9, 0.2, 1.0]
    scores = scores if scored else None
    return StepThrough(
        pairs_model(encoder, scores, 20.0), pair_batch(encoder, pairs, scores), encoder.tokenizer, dropout_key
    )


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


WORDS = "the cat saw a dog and the dog saw a cat while the bird sat on a tree and sang to the sun".split()
SIZES = (
    "--max_steps 12 --warmup_steps 1 --eval_every 5 --eval_batches 1 --batch_size 4 --seq_len 24 --log_every 2 "
    "--heldout 0.3 --save_every 5 --save_total_limit 0 --backend numpy"
).split()


def trained(folder, *more):
    """A run of a few steps, with checkpoints after 5, 10 and 12."""
    rng = np.random.default_rng(0)
    sentences = [" ".join(rng.permutation(WORDS)) + "." for _ in range(60)]
    documents = ["\n".join(sentences[i : i + 5]) for i in range(0, 60, 5)]
    (folder / "text.txt").write_text("\n\n".join(documents), encoding="utf-8")
    corpus = ["--corpus", str(folder / "text.txt"), "--output_dir", str(folder / "run")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIBERT_CACHE", str(folder / "cache"))
        assert not main(["pretrain", *corpus, *SIZES, *more])
    return folder / "run"
