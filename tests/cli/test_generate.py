"""Pre-training of GPT-2 and RoBERTa through the command, and what one does with such runs."""

import json

import pytest

import minibert


def evaluations(folder):
    records = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [record for record in records if "eval_perplexity" in record], records


def test_gpt2_learns_the_next_token_of_byte_pairs_by_default(pretrain, command, tmp_path):
    result = pretrain("--model", "gpt2-nano", "--vocab_size", "300")
    assert result.code == 0, result.err
    folder = tmp_path / "run"
    arguments = json.loads((folder / "training_args.json").read_text())
    assert (arguments["objective"], arguments["tokenizer"]) == ("clm", "bpe")
    assert (folder / "merges.txt").is_file()
    assert json.loads((folder / "config.json").read_text())["architectures"] == ["GPT2LMHeadModel"]
    found, records = evaluations(folder)
    expected = {"eval_clm_loss", "eval_clm_accuracy", "eval_unigram_loss", "eval_bigram_loss", "eval_perplexity"}
    assert expected <= set(found[-1])
    assert {"loss", "clm_loss", "clm_accuracy", "tokens_per_second"} <= set(records[1])
    assert "held out: CLM loss" in result.err
    assert ", bigram " in result.err
    assert result.out.count(" | ") == 4  # a title and three held-out beginnings, continued
    assert (folder / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert minibert.GPT2LMHeadModel.from_pretrained(folder).config.n_positions == 24
    assert command("info", "run").code == 0


def test_roberta_learns_masked_byte_pairs_by_default(pretrain, command, tmp_path):
    result = pretrain("--model", "roberta-tiny", "--vocab_size", "300")
    assert result.code == 0, result.err
    config = json.loads((tmp_path / "run/config.json").read_text())
    assert config["architectures"] == ["RobertaForMaskedLM"]
    assert config["max_position_embeddings"] == 26  # 24 and the two up to the padding's
    assert config["pad_token_id"] == 1
    assert "eval_mlm_loss" in evaluations(tmp_path / "run")[0][-1]
    assert "<mask>" in result.out
    guesses = command("fill-mask", "run", "A<mask> sat on the mat.")
    assert len(guesses.out.splitlines()) == 5
    assert command("info", "run").code == 0


@pytest.mark.parametrize(
    ("model", "tokenizer"), [("openai-gpt", "wordpiece"), ("roberta-tiny", "char"), ("bert-tiny", "bpe")]
)
def test_models_and_tokenizers_go_together(pretrain, monkeypatch, model, tokenizer):
    small = {"n_layer": 1, "n_head": 2, "n_embd": 8}
    monkeypatch.setitem(minibert.OpenAIGPTConfig.sizes, "openai-gpt", small)
    size = {"wordpiece": "100", "char": "100", "bpe": "300"}[tokenizer]
    result = pretrain("--model", model, "--tokenizer", tokenizer, "--vocab_size", size)
    assert result.code == 0, result.err


def test_characters_write_characters(pretrain, command, tmp_path):
    recipe = ["--model", "gpt2-nano", "--tokenizer", "char", "--batch_size", "12"]
    assert pretrain(*recipe).code == 0
    result = command("generate", "run", "--prompt", "The ", "--max_new_tokens", "60", "--top_k", "20")
    assert result.code == 0, result.err
    assert result.out.startswith("The ")
    assert len(result.out) == len("The ") + 60 + 1  # a character a token, far beyond the 24 positions
    assert "tokens/s" in result.err
    assert command("generate", "run", "--prompt", "The ", "--max_new_tokens", "60", "--top_k", "20").out == result.out
    greedy = [command("generate", "run", "--prompt", "The ", "--temperature", "0", "--seed", seed).out for seed in "12"]
    assert greedy[0] == greedy[1] != result.out
    refused = command("generate", "run", "--prompt", "The ", "--temperature", "0", "--num_return_sequences", "2")
    assert refused.code == 2
    assert refused.err.count("\n") == 1  # they would all be the same


def test_a_byte_pair_tokenizer_of_a_run_serves_another(pretrain):
    assert pretrain("--model", "gpt2-nano", "--vocab_size", "300", out="first").code == 0
    assert pretrain("--model", "gpt2-nano", "--tokenizer", "first", out="second").code == 0


def test_runs_of_different_objectives_in_one_picture(pretrain, command, tmp_path):
    pretrain(out="a")
    pretrain("--model", "gpt2-nano", "--vocab_size", "300", out="b")
    assert command("plot", "a", "b", "--output", "both.svg").code == 0
    assert (tmp_path / "both.svg").is_file()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "gpt2-nano", "--objective", "mlm"], "gpt2-nano cannot learn mlm, only clm"),
        (["--objective", "clm"], "bert-tiny cannot learn clm, only mlm+nsp or mlm"),
        (["--model", "roberta-tiny", "--objective", "mlm+nsp"], "roberta-tiny cannot learn mlm+nsp, only mlm"),
        (["--model", "gpt2-nano", "--whole_words"], "--whole_words is about hidden words"),
        (["--model", "gpt2-nano", "--vocab_size", "300", "--seq_len", "5000"], "fewer than one block of 5000"),
        (["--model", "gpt-huge"], "gpt2-nano"),
    ],
)
def test_what_does_not_go_together(pretrain, tmp_path, options, message):
    result = pretrain(*options)
    assert result.code == 2
    assert len(result.err.splitlines()) == 1
    assert message in result.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--prompt", ""], "the prompt is empty"),
        (["--prompt", "a " * 40], "has positions for 24: cut the prompt"),
        (["--temperature", "-1"], "temperature must not be negative"),
        (["--top_p", "2"], "top_p must be above 0"),
        (["--max_new_tokens", "0"], "max_new_tokens must be"),
        (["--num_return_sequences", "0"], "--num_return_sequences must be at least 1"),
        (["--num_return_sequences", "2", "--temperature", "0"], "at --temperature 0 all would be the same"),
    ],
)
def test_what_cannot_be_written(pretrain, command, options, message):
    pretrain("--model", "gpt2-nano", "--tokenizer", "char")
    result = command("generate", "run", *options)
    assert result.code == 2
    assert message in result.err.splitlines()[-1]
