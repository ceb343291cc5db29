"""The loop, its optimizer, schedule and log, on a BERT small enough for seconds."""

import json

import numpy as np
import pytest

import minibert
from minibert import BertConfig, BertForPreTraining
from minibert.errors import TrainingError
from minibert.evaluation.memory import training_memory
from minibert.evaluation.pretraining import evaluate
from minibert.objectives.baselines import unigram
from minibert.training.accumulation import accumulate
from minibert.training.log import RunLog, read_log
from minibert.training.loop import LoopSettings, in_steps, train
from minibert.training.optimizer import AdamW, global_norm
from minibert.training.schedule import linear_warmup_decay
from minibert.tree import flatten, tree_map

SMALL = dict(
    vocab_size=23,
    hidden_size=12,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=20,
    max_position_embeddings=9,
)


def model(dtype="float32"):
    return BertForPreTraining(BertConfig(**SMALL), dtype=dtype)


def batch(seed, rows=4):
    rng = np.random.default_rng(seed)
    ids = rng.integers(5, 23, (rows, 7))
    return {
        "input_ids": ids,
        "attention_mask": np.ones_like(ids),
        "labels": np.where(rng.random(ids.shape) < 0.2 + 0.5 * rng.random(), ids, -100),
        "next_sentence_label": rng.integers(0, 2, rows),
    }


def stack(batches):
    return {name: np.concatenate([b[name] for b in batches]) for name in batches[0]}


def test_accumulated_micro_batches_give_the_gradient_of_the_whole_batch():
    m, parts = model("float64"), [batch(0, 1), batch(1, 4), batch(2, 2)]
    assert len({(p["labels"] != -100).sum() for p in parts}) == 3  # counts differ, which is the point
    losses, grads = accumulate(m, parts)
    whole, expected = m.losses_and_grads(stack(parts))
    assert losses.total == pytest.approx(whole.total, rel=1e-12)
    assert [p.correct for p in losses.parts.values()] == [p.correct for p in whole.parts.values()]
    largest = max(abs(g).max() for g in flatten(expected).values())
    for name, gradient in flatten(expected).items():
        np.testing.assert_allclose(flatten(grads)[name], gradient, rtol=0, atol=1e-12 * largest)


def test_the_schedule_rises_peaks_and_falls_to_zero():
    rates = [linear_warmup_decay(step, 1.0, 4, 10) for step in range(1, 12)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    np.testing.assert_allclose(np.diff(rates[3:]), -1 / 7)
    assert rates[10] == 0
    assert linear_warmup_decay(1, 1.0, 0, 10) == 1.0


def test_clipping_scales_all_gradients_to_the_norm():
    m = model("float64")
    _, grads = m.losses_and_grads(batch(0))
    norm = global_norm(grads)
    assert norm == pytest.approx(np.sqrt(sum((g**2).sum() for g in flatten(grads).values())), rel=1e-12)
    clipped, scaled = model("float64"), model("float64")
    assert AdamW(clipped.params).step(grads, max_grad_norm=norm / 10) == norm
    AdamW(scaled.params).step(tree_map(lambda g: g / 10, grads))
    for name, array in flatten(clipped.params).items():
        np.testing.assert_allclose(array, flatten(scaled.params)[name], rtol=1e-9)


def test_biases_and_norms_are_not_decayed():
    m = model()
    zero = tree_map(np.zeros_like, m.params)
    before = tree_map(np.copy, m.params)
    AdamW(m.params, lr=0.1, weight_decay=0.5).step(zero)
    for name, array in flatten(m.params).items():
        factor = 1 - 0.1 * 0.5 if array.ndim > 1 else 1.0
        np.testing.assert_allclose(array, factor * flatten(before)[name], rtol=1e-6)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_step_with_l1_is_that_without_and_then_a_soft_threshold(backend):
    """Of lr l1, on what decays; a weight that no gradient moves is exactly 0 after |weight| / (lr l1) steps."""
    penalised, plain = model("float64"), model("float64")
    _, grads = plain.losses_and_grads(batch(0))
    with minibert.backend(backend):
        AdamW(plain.params, lr=0.01, weight_decay=0.5).step(grads)
        AdamW(penalised.params, lr=0.01, weight_decay=0.5, l1=2.0).step(grads)
    for name, array in flatten(plain.params).items():
        expected = np.sign(array) * np.maximum(abs(array) - 0.02, 0) if array.ndim > 1 else array
        np.testing.assert_allclose(flatten(penalised.params)[name], expected, rtol=1e-12, atol=1e-15, err_msg=name)
    w = {"w": np.array([[0.05, -0.031]])}
    optimizer, still = AdamW(w, lr=0.01, weight_decay=0.0, l1=1.0), {"w": np.zeros((1, 2))}
    zeros = []
    with minibert.backend(backend):
        for _ in range(6):
            optimizer.step(still)
            zeros.append((w["w"] == 0).sum())
    assert zeros[:4] == [0, 0, 0, 1]
    assert zeros[5] == 2


def test_a_gradient_that_is_not_finite_changes_nothing():
    m = model()
    _, grads = m.losses_and_grads(batch(0))
    grads["nsp_head"]["bias"][0] = np.inf
    before = tree_map(np.copy, m.params)
    optimizer = AdamW(m.params)
    assert not np.isfinite(optimizer.step(grads))
    assert optimizer.t == 0
    for name, array in flatten(m.params).items():
        np.testing.assert_array_equal(array, flatten(before)[name])


def run(folder, m, batches, steps=6, **settings):
    settings = LoopSettings(**{"max_steps": steps, "log_every": 2, "eval_every": 3, **settings})
    heldout = [batch(100), batch(101)]
    with RunLog(folder, steps, progress=False) as log:
        train(
            m,
            AdamW(m.params),
            in_steps(batches, settings.gradient_accumulation_steps),
            lambda step: 1e-3 * step,
            settings,
            log,
            lambda step: evaluate(m, heldout),
            lambda step: None,
        )


def endless():
    return (batch(seed) for seed in range(10_000))


def test_the_log_has_a_line_for_each_logged_step_and_evaluation(tmp_path):
    run(tmp_path, model(), endless(), steps=5)
    records = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    steps = [(r["step"], "eval_mlm_loss" in r) for r in records]
    assert steps == [(0, True), (2, False), (3, True), (4, False), (5, False), (5, True)]
    expected = {"step", "loss", "mlm_loss", "nsp_loss", "learning_rate", "grad_norm", "tokens_per_second"}
    assert expected <= set(records[1])
    assert records[1]["learning_rate"] == 2e-3
    assert records[1]["loss"] == pytest.approx(records[1]["mlm_loss"] + records[1]["nsp_loss"], rel=0.05)


def test_a_cut_off_last_line_of_the_log_is_left_out(tmp_path):
    run(tmp_path, model(), endless(), steps=2)
    whole = read_log(tmp_path)
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 7, "lo')
    assert read_log(tmp_path) == whole


def test_losses_that_are_not_numbers_stop_and_keep_the_last_good_weights(tmp_path):
    good, bad = model(), model()
    run(tmp_path, good, endless(), steps=3, eval_every=100)

    def batches():
        for i, b in enumerate(endless()):
            if i == 3:
                bad.params["mlm_head"]["bias"][0] = np.nan
            yield b

    with pytest.raises(TrainingError, match=r"step 6: the loss is nan. This and the 2 .* smaller --learning_rate"):
        run(tmp_path, bad, batches(), steps=8, eval_every=100, max_skipped_steps=3)
    bad.params["mlm_head"]["bias"][0] = good.params["mlm_head"]["bias"][0]
    for name, array in flatten(good.params).items():
        np.testing.assert_array_equal(array, flatten(bad.params)[name])


def test_training_repeats_bit_for_bit(tmp_path):
    a, b, c = model(), model(), model()
    run(tmp_path, a, endless())
    run(tmp_path, b, endless())
    run(tmp_path, c, endless(), seed=1)
    assert all((x == flatten(b.params)[n]).all() for n, x in flatten(a.params).items())
    assert any((x != flatten(c.params)[n]).any() for n, x in flatten(a.params).items())  # other dropout


def test_evaluation_is_the_mean_over_all_targets():
    m, batches = model("float64"), [batch(0, 1), batch(1, 4)]
    record = evaluate(m, batches)
    whole, _ = m.forward_loss(stack(batches), None, {})
    assert record["eval_mlm_loss"] == pytest.approx(whole.parts["mlm"].loss, rel=1e-12)
    assert record["eval_nsp_loss"] == pytest.approx(whole.parts["nsp"].loss, rel=1e-12)
    assert record["eval_mlm_accuracy"] == whole.parts["mlm"].correct / whole.parts["mlm"].count
    assert record["eval_perplexity"] == pytest.approx(np.exp(record["eval_mlm_loss"]))


def test_unigram_is_the_entropy_and_no_guess_without_context_beats_it():
    counts = np.array([0, 5, 3, 0, 2])
    loss, accuracy = unigram(counts)
    p = np.array([0.5, 0.3, 0.2])
    assert loss == pytest.approx(-(p * np.log(p)).sum())
    assert accuracy == 0.5
    for seed in range(20):
        q = np.random.default_rng(seed).dirichlet(np.ones(3))
        assert -(p * np.log(q)).sum() > loss


def test_memory_counts_each_array_once_and_grows_with_the_batch():
    m = model()
    one = {name: array[:1] for name, array in batch(0).items()}
    memory = training_memory(m, one, 3)
    assert memory.parameters == 4 * m.num_parameters() == memory.gradients == memory.optimizer // 2
    assert memory.activations == 3 * training_memory(m, one, 1).activations
    hidden = 4 * 7 * 12  # bytes of one (1, T, D) float32
    assert (
        30 * hidden < memory.activations / 3 < 45 * hidden
    )  # about 14 arrays like it a layer, 3 for the input, 5 for heads


def test_what_is_frozen_takes_no_memory_for_gradients():
    m, one = model(), {name: array[:1] for name, array in batch(0).items()}
    full = training_memory(m, one, 3)
    adapter = minibert.get_peft_model(m, minibert.LoraConfig(r=2))
    part = training_memory(adapter, one, 3)
    learned = 2 * 2 * 2 * (12 + 12)  # two projections in two layers, A and B of rank 2
    assert (part.gradients, part.optimizer) == (4 * learned, 8 * learned)
    assert part.parameters == full.parameters + 4 * learned


def test_adamw_is_public():
    assert minibert.AdamW is AdamW
