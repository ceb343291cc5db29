"""`minibert.pipeline`: structures as users of Hugging Face know them, errors that help."""

import numpy as np
import pytest

import minibert
from minibert.data.tokenizer_training import train_tokenizer
from minibert.errors import CheckpointError, ConfigError, DataError

TEXTS = ["The quick brown fox jumps over the lazy dog.\nA cat sat on the mat."] * 4


def folder_of(path, cls, config, tokenizer):
    cls(config, seed=1).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture
def gpt2(tmp_path):
    tokenizer = train_tokenizer("bpe", TEXTS, 280, masked=False)
    end = tokenizer.eos_token_id
    config = minibert.GPT2Config(
        len(tokenizer), 32, 12, 1, 3, initializer_range=0.5, bos_token_id=end, eos_token_id=end
    )
    return folder_of(tmp_path / "gpt2", minibert.GPT2LMHeadModel, config, tokenizer)


@pytest.fixture
def roberta(tmp_path):
    tokenizer = train_tokenizer("bpe", TEXTS, 280)
    config = minibert.RobertaConfig(len(tokenizer), 12, 1, 3, 20, max_position_embeddings=34)
    return folder_of(tmp_path / "roberta", minibert.RobertaForMaskedLM, config, tokenizer)


def test_text_generation(gpt2):
    write = minibert.pipeline("text-generation", model=gpt2)
    (greedy,) = write("The quick", max_new_tokens=8)
    assert set(greedy) == {"generated_text"}
    assert greedy["generated_text"].startswith("The quick")
    assert write("The quick", max_new_tokens=8, return_full_text=False) == [
        {"generated_text": greedy["generated_text"].removeprefix("The quick")}
    ]
    two = write(["The", "A cat"], max_new_tokens=5, num_return_sequences=3)
    assert [len(one) for one in two] == [3, 3]
    assert two[1] == write("A cat", max_new_tokens=5, num_return_sequences=3)


def test_without_a_number_of_tokens_the_positions_are_filled(gpt2):
    write = minibert.pipeline("text-generation", model=gpt2)
    ids = write.encode("The quick")
    longest = write.model.generate(ids, 32 - ids.shape[1] + 1)
    assert write("The quick", eos_token_id=None)[0]["generated_text"] == write.tokenizer.decode(longest[0])


def test_a_stream_is_the_text_in_pieces(gpt2):
    write = minibert.pipeline("text-generation", model=gpt2)
    options = {"max_new_tokens": 20, "temperature": 0.9, "seed": 2}
    (whole,) = write("The", return_full_text=False, **options)
    assert "".join(write.stream("The", **options)) == whole["generated_text"]


def test_a_text_ends_before_its_end_token(gpt2):
    write = minibert.pipeline("text-generation", model=gpt2)
    ids = write.encode("The")
    new = write.model.generate(ids, 20)[0, ids.shape[1] :].tolist()
    end = new[10]
    (ended,) = write("The", max_new_tokens=20, return_full_text=False, eos_token_id=end)
    assert ended["generated_text"] == write.tokenizer.decode(new[: new.index(end)])
    assert "".join(write.stream("The", 20, eos_token_id=end)) == ended["generated_text"]


def test_fill_mask_of_roberta(roberta):
    guess = minibert.pipeline("fill-mask", model=roberta)
    one = guess("A<mask> sat on the mat.", top_k=3)
    assert [set(g) for g in one] == [{"score", "token", "token_str", "sequence"}] * 3
    assert [g["score"] for g in one] == sorted((g["score"] for g in one), reverse=True)
    assert one[0]["sequence"] == f"A{one[0]['token_str']} sat on the mat."
    several = guess("A<mask> sat<mask>.", top_k=2)
    assert [len(mask) for mask in several] == [2, 2]
    assert guess(["A<mask> sat on the mat."], top_k=3) == [one]
    with pytest.raises(DataError, match="no <mask> in"):
        guess("A cat sat.")
    with pytest.raises(DataError, match="has positions for 32"):
        guess("<mask>" * 31)


def test_scores_are_probabilities(roberta):
    scores = [g["score"] for g in minibert.pipeline("fill-mask", roberta)("A<mask>.", top_k=280)]
    assert sum(scores) == pytest.approx(1, rel=1e-5)


def test_a_task_or_a_folder_that_is_none(gpt2, roberta, tmp_path):
    with pytest.raises(ConfigError, match="choose one of fill-mask, text-generation"):
        minibert.pipeline("translate", model=gpt2)
    with pytest.raises(CheckpointError, match="a gpt2 model cannot do this, it takes one of bert, roberta"):
        minibert.pipeline("fill-mask", model=gpt2)
    with pytest.raises(CheckpointError, match="it takes one of gpt2, openai-gpt"):
        minibert.pipeline("text-generation", model=roberta)
    with pytest.raises(CheckpointError, match=r"it has no config\.json"):
        minibert.pipeline("text-generation", model=tmp_path)
    (gpt2 / "config.json").write_text('{"model_type": "t5"}')
    with pytest.raises(CheckpointError, match="model_type is 't5'; supported are bert, roberta, gpt2, openai-gpt"):
        minibert.pipeline("text-generation", model=gpt2)


@pytest.fixture
def reviews(tmp_path):
    """Three classes; weights that are large enough to tell texts apart."""
    tokenizer = train_tokenizer("wordpiece", TEXTS, 60)
    names = {"id2label": {0: "bad", 1: "fair", 2: "good"}}
    config = minibert.BertConfig(
        len(tokenizer), 12, 1, 3, 20, max_position_embeddings=34, initializer_range=0.5, pad_token_id=0, **names
    )
    return folder_of(tmp_path / "reviews", minibert.BertForSequenceClassification, config, tokenizer)


PAIR = {"text": "A cat sat.", "text_pair": "The dog jumps."}


@pytest.mark.parametrize("task", ["text-classification", "sentiment-analysis"])
def test_text_classification(reviews, task):
    classify = minibert.pipeline(task, model=reviews)
    texts = ["A cat sat on the mat.", "The lazy dog jumps over the fox."]
    first, second = classify(texts)
    assert classify(texts[0]) == [first]
    every = classify(texts, top_k=None)
    assert [labels[0] for labels in every] == [first, second]
    for labels in every:
        assert {entry["label"] for entry in labels} == {"bad", "fair", "good"}
        assert sum(entry["score"] for entry in labels) == pytest.approx(1, rel=1e-6)
        assert labels == sorted(labels, key=lambda entry: -entry["score"])
    assert classify(texts[0], top_k=2) == every[0][:2]
    assert classify([PAIR]) == [classify(PAIR)]
    assert classify(PAIR, top_k=None) != classify(PAIR["text"], top_k=None)
    with pytest.raises(DataError, match="the model has positions for 34"):
        classify("A cat. " * 20)
    assert classify("A cat. " * 20, truncation=True) == classify("A cat. " * 30, truncation=True)
    for wrong in (3, {"text": 3}, {"text_pair": "A cat."}):
        with pytest.raises(DataError, match="a text must be a str"):
            classify([wrong])
    with pytest.raises(ConfigError, match="top_k must be a number of labels"):
        classify("A cat.", top_k=-1)


def test_a_model_and_a_tokenizer_instead_of_a_folder(roberta, reviews):
    model = minibert.RobertaForMaskedLM.from_pretrained(roberta)
    tokenizer = minibert.AutoTokenizer.from_pretrained(roberta)
    expected = minibert.pipeline("fill-mask", model=roberta)("A<mask> sat.")
    for pair in ((model, tokenizer), (model, str(roberta)), (roberta, roberta)):
        assert minibert.pipeline("fill-mask", model=pair[0], tokenizer=pair[1])("A<mask> sat.") == expected
    with pytest.raises(ConfigError, match="fill-mask needs the model's tokenizer too: pass tokenizer="):
        minibert.pipeline("fill-mask", model=model)
    with pytest.raises(ConfigError, match="fill-mask needs a model: pass model="):
        minibert.pipeline("fill-mask")
    with pytest.raises(ConfigError, match=r"called \.\.\.ForSequenceClassification, not RobertaForMaskedLM"):
        minibert.pipeline("text-classification", model=model, tokenizer=tokenizer)
    with pytest.raises(CheckpointError, match="has no head of a task"):
        minibert.pipeline("text-classification", model=roberta)


@pytest.mark.parametrize("top_k", [0, 10**6, "3", 2.0, True])
def test_a_number_of_guesses_that_cannot_be(roberta, top_k):
    with pytest.raises(ConfigError, match=r"top_k must be an integer within 1\.\."):
        minibert.pipeline("fill-mask", model=roberta)("a <mask>", top_k=top_k)


def test_an_empty_prompt(gpt2):
    with pytest.raises(DataError, match="the prompt is empty"):
        minibert.pipeline("text-generation", model=gpt2)("")


@pytest.mark.oracle
@pytest.mark.slow
def test_they_answer_as_hugging_face(gpt2, roberta, reviews):
    """Fill-mask, classes: the same with the same scores (float32). Text: the same, greedy."""
    pytest.importorskip("torch", reason="needs the extra `oracle`")
    transformers = pytest.importorskip("transformers", reason="needs the extra `oracle`")
    for text in ("A<mask> sat on the mat.", "A<mask> sat<mask>."):
        theirs = transformers.pipeline("fill-mask", model=str(roberta))(text)
        ours = minibert.pipeline("fill-mask", model=roberta)(text)
        if isinstance(ours[0], dict):
            assert [g["sequence"] for g in ours] == [g["sequence"] for g in theirs]
            ours, theirs = [ours], [theirs]
        else:  # they show the special tokens at the ends then
            ends = [[g["sequence"].removeprefix("<s>").removesuffix("</s>") for g in mask] for mask in theirs]
            assert [[g["sequence"] for g in mask] for mask in ours] == ends
        for a, b in zip(ours, theirs, strict=True):
            assert [g["token"] for g in a] == [g["token"] for g in b]
            assert [g["token_str"] for g in a] == [g["token_str"] for g in b]
            np.testing.assert_allclose([g["score"] for g in a], [g["score"] for g in b], rtol=1e-5)
    theirs = transformers.pipeline("text-generation", model=str(gpt2))
    ours = minibert.pipeline("text-generation", model=gpt2)
    assert ours("The quick", max_new_tokens=20) == theirs("The quick", max_new_tokens=20, do_sample=False)
    theirs = transformers.pipeline("text-classification", model=str(reviews))
    ours = minibert.pipeline("text-classification", model=reviews)
    for given in ("A cat sat.", ["A cat sat.", "The dog."], PAIR):
        for options in ({}, {"top_k": None}, {"top_k": 2}):
            assert flat(ours(given, **options)) == pytest.approx(flat(theirs(given, **options)), rel=1e-5)


def flat(found):
    """The labels and scores in nested lists, by their places."""
    if isinstance(found, dict):
        return {found["label"]: found["score"]}
    return {(i, *np.atleast_1d(key)): score for i, one in enumerate(found) for key, score in flat(one).items()}
