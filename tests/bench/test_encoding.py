"""Encoding in the bench: both sides make the same vectors, and a model that was not fetched is left out with a note."""

import numpy as np
import pytest
from sentence_cases import SENTENCES, make

from minibert import backend
from minibert.bench import encoding
from minibert.bench.timing import Budget
from minibert.sentence_encoder.recipe import Recipe

NAME = "all-minilm-l6-v2"


def test_the_rows(quick, monkeypatch, tmp_path):
    make(dtype="float32").save_pretrained(tmp_path)
    monkeypatch.setattr(encoding, "is_kept", lambda released: True)
    monkeypatch.setattr(encoding, "kept_folder", lambda released: tmp_path)
    monkeypatch.setattr(encoding, "random_sentences", lambda count: SENTENCES)
    (row,) = encoding.encoding_rows(NAME, Budget(0.01, 1), torch=False)
    lengths = [len(ids) for ids in make().tokenizer(SENTENCES)["input_ids"]]
    assert row.values["tokens_per_second"] == pytest.approx(sum(lengths) / (row.values["ms"] / 1e3))
    assert row.name == f"{NAME}, 7 sentences: kernels"


def test_a_model_that_was_not_fetched(command, monkeypatch, tmp_path):
    monkeypatch.setenv("MINIBERT_CACHE", str(tmp_path))
    code, out, err = command("--ops", "adamw", "--models", "--no_torch", "--encode", NAME)
    assert code == 0, err
    assert f"note: encoding with {NAME} was left out, its weights are not here: minibert fetch {NAME}" in out
    code, _, err = command("--ops", "--models", "--encode", "nosuch")
    assert code == 2
    assert "no model named 'nosuch' to encode with" in err


def test_flops_are_counted_by_hand():
    """One sentence of 5 tokens and one of 2: every product of a layer, D = 12, F = 20, H K = 12, two layers."""
    config = make().model.config
    per_token = 12 * 36 + 12 * 12 + 12 * 20 + 20 * 12
    pairs = 2 * (25 * 12 + 4 * 12)  # scores and output
    assert encoding.forward_flops(config, np.array([5, 2])) == 2 * 2 * (7 * per_token + pairs)


def test_sentences_of_mixed_length():
    sentences = encoding.random_sentences(200)
    assert sentences == encoding.random_sentences(200)
    words = [len(sentence.split()) for sentence in sentences]
    assert min(words) < 8
    assert max(words) > 55


def test_the_size_of_batches_is_chosen_by_batches_of_all_sentences():
    """Sorted by length and cut into batches of 4 or 8, the choice has only batches that all sentences have too."""
    encoder = make(dtype="float32")
    sentences = [" ".join(["fox"] * n) for n in np.random.default_rng(0).integers(1, 40, 100)]
    some = encoding.every_fourth_batch(encoder, sentences, 8)
    assert len(some) == 24
    for size in (4, 8):
        few, every = (
            [tuple(len(text) for text in ordered[i : i + size]) for i in range(0, len(ordered), size)]
            for ordered in (sorted(some, key=len), sorted(sentences, key=len))
        )
        assert set(few) <= set(every)
    assert encoding.every_fourth_batch(encoder, SENTENCES, 8) == SENTENCES


@pytest.mark.oracle
def test_torch_makes_the_same_vectors():
    pytest.importorskip("torch", reason="needs the extra `oracle`")
    pytest.importorskip("transformers", reason="needs the extra `oracle`")
    from minibert.bench.torch_encoding import variants

    encoder = make(dtype="float32", recipe=Recipe("mean", True, 30))
    with backend("numpy"):
        expected = encoding.minibert_side(encoder, SENTENCES).run()
        for side in variants(encoder, SENTENCES, [1]).values():
            np.testing.assert_allclose(side.run(), encoder.encode(SENTENCES), rtol=0, atol=1e-5)
    np.testing.assert_allclose(expected, encoder.encode(SENTENCES), rtol=0, atol=1e-5)
