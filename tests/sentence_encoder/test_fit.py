"""Fine-tuning on pairs, as a user meets it: it learns, is saved and opened, and says what it cannot work with."""

import numpy as np
import pytest
from pair_cases import PAIRS, SCORES
from sentence_cases import make

import minibert
from minibert.data.tokenizer_training import train_tokenizer
from minibert.errors import ConfigError, DataError
from minibert.finetuning.lora import is_low_rank
from minibert.sentence_encoder.fit import pair_columns, pairs_model
from minibert.sentence_encoder.recipe import Recipe
from minibert.tree import flatten, tree_map

THINGS, ANIMALS = ["hammer", "saw", "drill", "wrench", "pliers"], ["cat", "dog", "fox", "hen", "owl"]
FRAMES = ["the {} is here", "here is one {}", "look , the {}", "one {} is there , look"]


def sentences(words):
    return [frame.format(word) for word in words for frame in FRAMES]


def encoder(seed=0, dtype="float32", dropout=0.1):
    """One that knows nothing: random weights, a vocabulary of words."""
    tokenizer = train_tokenizer("wordpiece", sentences(THINGS + ANIMALS), 80)
    config = minibert.BertConfig(
        len(tokenizer), 24, 1, 2, 32, max_position_embeddings=16, initializer_range=0.1,
        hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout,
    )  # fmt: skip
    return minibert.SentenceEncoder(minibert.BertModel(config, seed, dtype), tokenizer, Recipe(normalise=True))


def drawn(n, seed):
    """Pairs of sentences, alike if they are about the same kind of thing: half of them are."""
    rng, pairs, scores = np.random.default_rng(seed), [], []
    for i in range(n):
        kinds = (THINGS, ANIMALS) if i % 2 else (THINGS, THINGS) if i % 4 else (ANIMALS, ANIMALS)
        pairs.append(tuple(str(rng.choice(sentences(kind))) for kind in kinds))
        scores.append(float(kinds[0] is kinds[1]))
    return pairs, scores


def matching(seed):
    """For each word two sentences with it, in other frames."""
    rng, pairs = np.random.default_rng(seed), []
    for word in THINGS + ANIMALS:
        one, other = rng.permutation(FRAMES)[:2]
        pairs.append((one.format(word), other.format(word)))
    return pairs


OPTIONS = {"learning_rate": 1e-2, "per_device_train_batch_size": 10}


def test_scores_are_learned(tmp_path):
    e, heldout = encoder(), drawn(40, 1)
    records = []

    class Keep(minibert.TrainerCallback):
        def on_evaluate(self, args, state, control, metrics, **kwargs):
            records.append(metrics)

    out = e.fit(*drawn(120, 0), heldout, callbacks=[Keep], num_train_epochs=6, eval_on_start=True, **OPTIONS)
    assert out.global_step == 6 * 12
    assert len(records) == 6
    assert records[-1]["eval_spearman"] > 0.8  # its bound is that of two values
    assert records[-1]["eval_loss"] < 0.1 < records[0]["eval_loss"]
    (a, b), scores = zip(*heldout[0], strict=True), np.array(heldout[1])
    cosines = (e.encode(a) * e.encode(b)).sum(-1)  # what the evaluation measured is what a user gets
    assert cosines[scores == 1].min() > cosines[scores == 0].max()
    assert np.mean((cosines - scores) ** 2) == pytest.approx(records[-1]["eval_loss"], rel=1e-4)


def test_matches_are_learned():
    e = encoder()

    def found(seed):
        a, b = zip(*matching(seed), strict=True)
        return (e.similarity(e.encode(a), e.encode(b)).argmax(1) == np.arange(len(a))).mean()

    before = found(100)
    e.fit([pair for seed in range(8) for pair in matching(seed)], num_train_epochs=6,
          train_sampling_strategy="sequential", **OPTIONS)  # fmt: skip
    assert found(100) == 1 > before


def test_the_loss_is_that_of_fit_and_a_step_by_hand_is_its_step():
    e, by_hand = (encoder(dtype="float64", dropout=0.0) for _ in range(2))
    loss, grads = by_hand.loss_and_grads(PAIRS, SCORES)
    minibert.AdamW(by_hand.model.params, lr=1e-2, weight_decay=0.0).step(grads, max_grad_norm=1.0)
    out = e.fit(PAIRS, SCORES, max_steps=1, **OPTIONS)
    assert out.training_loss == pytest.approx(loss, rel=1e-12)
    for name, array in flatten(by_hand.model.params).items():
        np.testing.assert_allclose(flatten(e.model.params)[name], array, rtol=0, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("scores", [SCORES, None])
def test_the_pooler_keeps_its_bits_and_all_else_moves(scores):
    e = encoder()
    before = tree_map(np.copy, e.model.params)
    e.fit(PAIRS, scores, max_steps=2, weight_decay=0.1, l1=0.1, **OPTIONS)
    kept = {n for n, array in flatten(e.model.params).items() if np.array_equal(array, flatten(before)[n])}
    assert kept == {"pooler.weight", "pooler.bias"}


def test_a_checkpoint_opens_as_an_encoder(tmp_path):
    e = encoder()
    e.fit(*drawn(20, 0), output_dir=tmp_path, save_strategy="epoch", num_train_epochs=1, **OPTIONS)
    opened = minibert.SentenceEncoder.from_pretrained(tmp_path / "checkpoint-2")
    texts = sentences(ANIMALS)
    assert opened.recipe == e.recipe
    np.testing.assert_array_equal(opened.encode(texts), e.encode(texts))
    opened.fit(*drawn(20, 1), max_steps=1)  # and learns on


def test_a_run_goes_on_from_its_checkpoint_with_the_same_bits(tmp_path):
    pairs, scores = drawn(40, 0)

    def run(resume=None):
        e = encoder()
        args = minibert.TrainingArguments(tmp_path, max_steps=6, save_strategy="steps", save_steps=3, **OPTIONS)
        trainer = minibert.Trainer(pairs_model(e, scores), args, train_dataset=pair_columns(e, pairs, scores))
        trainer.train(resume_from_checkpoint=resume)
        return flatten(e.model.params)

    whole, resumed = run(), run(tmp_path / "checkpoint-3")
    assert all(np.array_equal(array, resumed[name]) for name, array in whole.items())


def test_the_best_epoch_is_kept(tmp_path):
    e = encoder()
    e.fit(*drawn(40, 0), drawn(20, 1), output_dir=tmp_path, num_train_epochs=3, save_strategy="epoch",
          load_best_model_at_end=True, metric_for_best_model="spearman", save_total_limit=1, **OPTIONS)  # fmt: skip
    best = [minibert.SentenceEncoder.from_pretrained(path) for path in tmp_path.glob("checkpoint-*")]
    assert any(np.array_equal(opened.encode("the cat"), e.encode("the cat")) for opened in best)


def test_lora_learns_pairs_and_encodes_with_what_it_learned(tmp_path):
    """An adapter in the model's parameters: unmerged, it must not be forgotten when sentences are encoded."""
    e = encoder()
    before, texts = tree_map(np.array, e.model.params), sentences(ANIMALS)
    plain = e.encode(texts)
    adapter = minibert.get_peft_model(e.model, minibert.LoraConfig(r=4))
    e.fit(*drawn(60, 0), num_train_epochs=2, **OPTIONS)
    assert all(is_low_rank(n) or np.array_equal(flatten(before)[n], a) for n, a in flatten(e.model.params).items()
               if a.ndim)  # fmt: skip
    learned = e.encode(texts)
    assert abs(learned - plain).max() > 0.05
    e.save_pretrained(tmp_path)  # merged
    np.testing.assert_allclose(
        minibert.SentenceEncoder.from_pretrained(tmp_path).encode(texts), learned, rtol=0, atol=1e-5
    )
    assert any("lora" in name for name in flatten(e.model.params))
    adapter.merge_and_unload()
    np.testing.assert_allclose(e.encode(texts), learned, rtol=0, atol=1e-5)


def test_virtual_tokens_are_refused():
    e = encoder()
    minibert.get_peft_model(e.model, minibert.PromptTuningConfig(num_virtual_tokens=2))
    with pytest.raises(ConfigError, match="does not take virtual tokens"):
        e.fit(PAIRS, SCORES)


def test_long_texts_are_cut_and_counted():
    with pytest.warns(UserWarning, match=r"1 of 2 sentences are longer than the 16 tokens"):
        columns = pair_columns(encoder(), [("the cat", "the cat is here " * 9)])
    assert columns["input_ids"][0].shape == (2, 16)
    assert columns["attention_mask"][0].sum(-1).tolist() == [4, 16]


def test_roberta_learns_too():
    e = make("roberta", "float32")
    loss = e.loss_and_grads(PAIRS)[0]
    e.fit(PAIRS, num_train_epochs=40, learning_rate=3e-3)
    assert e.loss_and_grads(PAIRS)[0] < loss / 2


@pytest.mark.parametrize(
    ("pairs", "options", "error", "message"),
    [
        ([("a", "b"), ("c",)], {}, DataError, r"pair 1 is \('c',\), but a pair is two texts"),
        (["ab", "cd"], {}, DataError, "pair 0 is 'ab', but a pair is two texts"),
        ([("a", 3), ("c", "d")], {}, DataError, "sentence 1 is of type int"),
        ([("a", "b")], {}, ConfigError, "at least 2 pairs"),
        (PAIRS, {"per_device_train_batch_size": 1}, ConfigError, "per_device_train_batch_size of at least 2"),
        (PAIRS, {"scale": 0.0}, ConfigError, "scale must be positive"),
        (PAIRS, {"scores": [5.0, 0.0, 1.0]}, DataError, r"scores\[0\] is 5\.0, .* within -1\.\.1: divide"),
        (PAIRS, {"scores": [0.5, float("nan"), 1.0]}, DataError, r"scores\[1\] is nan"),
        (
            PAIRS,
            {"scores": [0.5, 1.0]},
            DataError,
            r"scores must be 3 numbers, one a pair; got float64 of shape \(2,\)",
        ),
        (PAIRS, {"scores": ["a", "b", "c"]}, DataError, "scores must be 3 numbers"),
        ([], {"scores": []}, DataError, "the dataset is empty"),
        (PAIRS, {"scores": SCORES, "validation_data": PAIRS}, DataError, r"must be \(pairs, scores\)"),
        (PAIRS, {"label_smoothing_factor": 0.1}, DataError, "not learned with label_smoothing"),
        (PAIRS, {"evaluation_strategy": "epoch"}, ConfigError, "is now called eval_strategy"),
    ],
)
def test_what_cannot_be_learned_from(pairs, options, error, message, tmp_path):
    e = encoder()
    before = tree_map(np.copy, e.model.params)
    with pytest.raises(error, match=message):
        e.fit(pairs, output_dir=tmp_path / "out", save_strategy="epoch", **options)
    assert not (tmp_path / "out").exists()
    assert all(np.array_equal(a, flatten(before)[n]) for n, a in flatten(e.model.params).items())


def test_batches_that_are_no_pairs():
    model = minibert.sentence_encoder.pairs.ScoredPairs(encoder())
    with pytest.raises(DataError, match=r"must be \(batch, 2, length\); got shape \(1, 3\)"):
        model([[1, 2, 3]])
    with pytest.raises(DataError, match="give labels, one score a pair"):
        model.loss_and_grads(input_ids=[[[1, 2], [3, 4]]])
