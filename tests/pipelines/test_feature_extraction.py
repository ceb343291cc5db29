"""`pipeline("feature-extraction")`: the last hidden state of any kind of model, as nested lists."""

import numpy as np
import pytest

import minibert
from minibert.data.tokenizer_training import train_tokenizer
from minibert.errors import DataError

TEXTS = ["The quick brown fox jumps over the lazy dog.\nA cat sat on the mat."] * 4


def folder_of(path, kind):
    tokenizer = (
        train_tokenizer("wordpiece", TEXTS, 80)
        if kind == "bert"
        else train_tokenizer("bpe", TEXTS, 280, masked=kind != "gpt2")
    )
    size = len(tokenizer), 12, 1, 3, 20
    model = {
        "bert": lambda: minibert.BertModel(minibert.BertConfig(*size, max_position_embeddings=20), seed=1),
        "roberta": lambda: minibert.RobertaModel(minibert.RobertaConfig(*size, max_position_embeddings=22), seed=1),
        "gpt2": lambda: minibert.GPT2Model(minibert.GPT2Config(len(tokenizer), 20, 12, 1, 3), seed=1),
    }[kind]()
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return model


@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2"])
def test_a_vector_for_each_token(tmp_path, kind):
    model = folder_of(tmp_path, kind)
    features = minibert.pipeline("feature-extraction", model=tmp_path)
    one = features("A cat sat.")
    ids = features.tokenizer.encode("A cat sat.")
    assert np.shape(one) == (1, len(ids), 12)
    assert isinstance(one[0][0][0], float)
    np.testing.assert_array_equal(np.array(one, np.float32), model([ids]).last_hidden_state)
    np.testing.assert_array_equal(features("A cat sat.", return_tensors=True), np.array(one, np.float32))
    assert features(["A cat sat.", "The dog."]) == [one, features("The dog.")]


def test_too_long_a_text(tmp_path):
    folder_of(tmp_path, "bert")
    features = minibert.pipeline("feature-extraction", model=tmp_path)
    with pytest.raises(DataError, match="has positions for 20"):
        features("A cat sat. " * 9)
    assert np.shape(features("A cat sat. " * 9, truncation=True)) == (1, 20, 12)


@pytest.mark.oracle
@pytest.mark.slow
def test_it_answers_as_hugging_face(tmp_path):
    """The same structure and numbers, float32."""
    pytest.importorskip("torch", reason="needs the extra `oracle`")
    transformers = pytest.importorskip("transformers", reason="needs the extra `oracle`")
    folder_of(tmp_path, "bert")
    texts = ["A cat sat.", "The quick brown fox."]
    theirs = transformers.pipeline("feature-extraction", model=str(tmp_path))
    ours = minibert.pipeline("feature-extraction", model=tmp_path)
    assert np.shape(ours(texts[0])) == np.shape(theirs(texts[0]))
    for a, b in zip(ours(texts), theirs(texts), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)
