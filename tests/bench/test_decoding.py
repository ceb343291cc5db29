"""Writing in the bench: both sides write the same, again and again, and the row adds up."""

import numpy as np
import pytest

from minibert import GPT2Config, GPT2LMHeadModel, backend
from minibert.bench import decoding
from minibert.bench.timing import Budget
from minibert.tree import tree_map

SMALL = {
    "n_layer": 2,
    "n_head": 2,
    "n_embd": 8,
    "vocab_size": 50,
    "n_positions": 32,
    "bos_token_id": None,
    "eos_token_id": None,
}


@pytest.fixture
def model(monkeypatch):
    monkeypatch.setattr(decoding, "PROMPT", 6)
    monkeypatch.setattr(decoding, "NEW", 5)
    monkeypatch.setattr(decoding, "STREAM_NUMBERS", 1000)
    monkeypatch.setitem(GPT2Config.sizes, "gpt2-test", SMALL)
    model = GPT2LMHeadModel(GPT2Config(**SMALL))
    rng = np.random.default_rng(0)
    model.params = tree_map(lambda p: p + np.float32(0.3) * rng.standard_normal(p.shape, np.float32), model.params)
    return model


def test_a_run_leaves_the_prompt_as_it_was(model):
    with backend("numpy"):
        side = decoding.minibert_side(model, 6, 20)
        first = side.run()
        assert first == side.run()
        prompt = decoding.random_prompt(50, 6)
        assert first == model.generate(prompt, 20)[0, 6:].tolist()
        assert len(set(first)) > 1


def test_a_token_reads_every_weight_but_one_table(model):
    """12 D^2 + 13 D a layer, the final norm, and the table of tokens once: it is the head's weight too."""
    assert decoding.weight_bytes(model) == 4 * (2 * (12 * 64 + 13 * 8) + 16 + 50 * 8)


def test_the_row(model, quick):
    (row,) = decoding.decoding_rows("gpt2-test", Budget(0.01, 1), torch=False)
    v = row.values
    assert v["tokens_per_second"] == pytest.approx(1e3 / v["ms"])
    assert v["gigabytes_per_second"] == pytest.approx(v["tokens_per_second"] * decoding.weight_bytes(model) / 1e9)
    assert v["memory_share"] > 0
    assert row.name == "gpt2-test, 5 tokens after 6: kernels"


@pytest.mark.oracle
def test_hugging_face_writes_the_same(model):
    pytest.importorskip("torch", reason="needs the extra `oracle`")
    pytest.importorskip("transformers", reason="needs the extra `oracle`")
    from minibert.bench.torch_decoding import variants

    (theirs,) = variants(model, 6, 20, [1]).values()
    with backend("numpy"):
        ours = decoding.minibert_side(model, 6, 20).run()
    assert theirs.run() == theirs.run() == ours
