"""Vectors of sentences: what the model gives each alone, whatever stands beside it."""

import numpy as np
import pytest
from sentence_cases import SENTENCES, make

import minibert
from minibert.errors import CheckpointError, ConfigError, DataError
from minibert.ops import l2_normalise, mean_pooling
from minibert.sentence_encoder import batches
from minibert.sentence_encoder.batches import batches_by_length
from minibert.sentence_encoder.recipe import Recipe


def alone(encoder, sentence):
    """By the model's own padded call, pooled by the formula."""
    ids = np.array([encoder.tokenizer.encode(sentence, truncation=True, max_length=encoder.recipe.max_seq_length)])
    return l2_normalise(mean_pooling(encoder.model(ids).last_hidden_state, None)[0], 1e-12)[0][0]


@pytest.mark.parametrize("kind", ["bert", "roberta"])
@pytest.mark.parametrize(("backend", "dtype", "atol"), [("numpy", "float64", 1e-12), ("numba", "float32", 1e-5)])
def test_a_vector_is_what_the_model_gives_the_sentence_alone(kind, backend, dtype, atol):
    """Unit vectors: float64 differs by the order of sums; float32 by its 6e-8 over two layers with large weights."""
    encoder = make(kind, dtype)
    with minibert.backend(backend):
        vectors = encoder.encode(SENTENCES)
        assert vectors.shape == (len(SENTENCES), 12)
        assert vectors.dtype == dtype
        for sentence, vector in zip(SENTENCES, vectors, strict=True):
            np.testing.assert_allclose(vector, alone(encoder, sentence), rtol=0, atol=atol)
    np.testing.assert_allclose(vectors[0], vectors[6], rtol=0, atol=atol)
    assert abs(vectors[0] - vectors[2]).max() > 0.05  # and they are not all alike


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_neither_order_nor_batches_matter(batch_size, monkeypatch):
    encoder = make()
    expected = encoder.encode(SENTENCES)
    close = {"rtol": 0, "atol": 1e-12}
    np.testing.assert_allclose(encoder.encode(SENTENCES, batch_size=batch_size), expected, **close)
    np.testing.assert_allclose(encoder.encode(SENTENCES[::-1], batch_size)[::-1], expected, **close)
    monkeypatch.setattr(batches, "BATCH_TOKENS", 10 * batch_size)
    np.testing.assert_allclose(encoder.encode(SENTENCES), expected, **close)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padded_on_either_side_it_is_the_same(side):
    """The packed way against the ordinary one: RoBERTa, whose positions skip padding, pads on both sides."""
    encoder = make("roberta")
    batch = encoder.tokenizer(SENTENCES, padding=True, padding_side=side, return_tensors="np")
    hidden = encoder.model(batch["input_ids"], batch["attention_mask"]).last_hidden_state
    pooled, _ = mean_pooling(hidden, batch["attention_mask"].astype(bool))
    expected, _ = l2_normalise(pooled, 1e-12)
    np.testing.assert_allclose(encoder.encode(SENTENCES), expected, rtol=0, atol=1e-12)


def test_one_sentence_none_and_an_empty_one():
    encoder = make()
    assert encoder.encode("A cat sat.").shape == (12,)
    np.testing.assert_allclose(encoder.encode("A cat sat."), encoder.encode(["A cat sat."])[0], atol=1e-12)
    assert encoder.encode([]).shape == (0, 12)
    assert np.isfinite(encoder.encode("")).all()  # [CLS] [SEP]


def test_a_long_sentence_is_cut_with_a_warning():
    encoder = make(recipe=Recipe(max_seq_length=6))
    long = "The quick brown fox jumps over the lazy dog."
    with pytest.warns(UserWarning, match=r"1 of 2 sentences are longer than the 6 tokens"):
        vectors = encoder.encode(["A cat.", long])
    ids = encoder.tokenizer.encode(long)
    cut = encoder.model([[*ids[:5], encoder.tokenizer.sep_token_id]]).last_hidden_state[0].mean(0)
    np.testing.assert_allclose(vectors[1], cut, rtol=0, atol=1e-12)


def test_no_more_tokens_than_positions():
    assert make(recipe=Recipe(max_seq_length=10_000)).recipe.max_seq_length == 40
    assert make("roberta").recipe.max_seq_length == 40


def test_recipes():
    mean, first = make(recipe=Recipe()), make(recipe=Recipe("cls"))
    hidden = mean.model([mean.tokenizer.encode("A cat sat.")]).last_hidden_state[0]
    np.testing.assert_allclose(mean.encode("A cat sat."), hidden.mean(0), atol=1e-12)
    np.testing.assert_allclose(first.encode("A cat sat."), hidden[0], atol=1e-12)
    unit = mean.encode("A cat sat.", normalize_embeddings=True)
    np.testing.assert_allclose(unit, hidden.mean(0) / np.linalg.norm(hidden.mean(0)), atol=1e-12)


@pytest.mark.parametrize("recipe", [Recipe("cls", False, 20), Recipe("mean", True, 9)])
def test_a_saved_encoder_is_the_same(tmp_path, recipe):
    encoder = make(dtype="float32", recipe=recipe)
    encoder.save_pretrained(tmp_path)
    again = minibert.SentenceEncoder.from_pretrained(tmp_path)
    assert again.recipe == recipe
    short = ["A cat.", "The dog."]
    np.testing.assert_array_equal(again.encode(short), encoder.encode(short))


def test_a_checkpoint_without_a_pooler_is_opened_without_a_word(tmp_path):
    """As one that was pre-trained on masked tokens only: the recipe's defaults, and warnings are errors here."""
    encoder = make("roberta", "float32")
    minibert.RobertaForMaskedLM(encoder.model.config).save_pretrained(tmp_path)
    encoder.tokenizer.save_pretrained(tmp_path)
    opened = minibert.SentenceEncoder.from_pretrained(tmp_path)
    assert opened.recipe == Recipe("mean", False, 40)
    assert opened.encode(["A cat."]).shape == (1, 12)


def test_batches_by_length(monkeypatch):
    monkeypatch.setattr(batches, "BATCH_TOKENS", 10)
    lengths = [4, 30, 2, 4, 6, 2]
    found = [batch.tolist() for batch in batches_by_length(lengths)]
    assert found == [[2, 5, 0], [3, 4], [1]]  # 2 + 2 + 4, 4 + 6, and what fits nowhere alone
    assert [batch.tolist() for batch in batches_by_length(lengths, 4)] == [[2, 5, 0, 3], [4, 1]]
    assert list(batches_by_length([])) == []


@pytest.mark.parametrize(
    ("sentences", "batch_size", "error", "message"),
    [
        (["a", 3], None, DataError, "sentence 1 is of type int"),
        ([("a", "b")], None, DataError, "sentence 0 is of type tuple"),
        (["half a character: \ud800"], None, DataError, "surrogate"),
        (["a"], 0, ConfigError, "batch_size must be at least 1"),
    ],
)
def test_what_cannot_be_encoded(sentences, batch_size, error, message):
    with pytest.raises(error, match=message):
        make().encode(sentences, batch_size=batch_size)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("modules.json", "{", "not valid JSON"),
        ("modules.json", '[{"type": "x.Dense", "path": ""}]', "modules are Dense"),
        ("modules.json", "null", "expected a list of modules"),
        ("1_Pooling/config.json", '{"pooling_mode_max_tokens": true}', "pools by max_tokens"),
        ("1_Pooling/config.json", "{}", "pools by nothing"),
        ("1_Pooling/config.json", "[]", "expected a JSON object"),
        ("sentence_bert_config.json", '{"max_seq_length": -1}', "at least 2"),
        ("sentence_bert_config.json", '{"do_lower_case": true}', "do_lower_case"),
        ("config.json", '{"model_type": "gpt2", "n_embd": 12, "n_head": 3}', "it takes bert or roberta"),
    ],
)
def test_folders_that_cannot_be_used(tmp_path, file, content, message):
    make(dtype="float32").save_pretrained(tmp_path)
    (tmp_path / file).write_text(content)
    with pytest.raises(CheckpointError, match=message):
        minibert.SentenceEncoder.from_pretrained(tmp_path)


def test_names_that_are_none():
    with pytest.raises(CheckpointError, match=r"no model of that name .there are all-minilm-l6-v2"):
        minibert.SentenceEncoder.from_pretrained("nosuch")


def test_a_tokenizer_of_another_model():
    encoder = make()
    small = minibert.BertModel(minibert.BertConfig(50, 12, 1, 3, 20))
    with pytest.raises(DataError, match=r"model only 50 \(vocab_size\): they do not belong together"):
        minibert.SentenceEncoder(small, encoder.tokenizer)
