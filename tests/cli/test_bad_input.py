"""Every mistake of a user gives one line that says what to do, exit code 2, and nothing half-written."""

import pytest


def complaint(result):
    assert result.code == 2, result.out
    lines = [line for line in result.err.splitlines() if line]
    assert len(lines) == 1, result.err
    assert lines[0].startswith("minibert: ")
    return lines[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"good text.\nbad \xff byte.", "byte offset 15"),
        (b"good text.\nbad \x00 byte.", "NUL"),
        (b"\x7fELF\x02\x01\x01\x00\x00\x00" * 50, "binary"),
    ],
)
def test_a_text_that_is_none(pretrain, tmp_path, content, message):
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    error = complaint(pretrain(corpus=path))
    assert message in error
    assert "bad.txt" in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--corpus", "nosuch"], "nosuch: no such file or folder"),
        (["--vocab_size", "100000"], "can give only"),
        (["--seq_len", "4"], "--seq_len must be at least 5"),
        (["--max_steps", "many"], "--max_steps must be an integer, but is many (see"),
        (["--learning_rate", "nan"], "--learning_rate must be a number, but is nan (see"),
        (["--max_steps", "0"], "--max_steps must be at least 1"),
        (["--l1", "-1"], "--l1 must not be negative"),
        (["--warmup_steps", "5"], "--warmup_steps must be within 0..4"),
        (["--learning_rate", "-1"], "--learning_rate must be positive"),
        (["--initializer_range", "-0.1"], "--initializer_range must be positive"),
        (["--adam_beta2", "1"], "--adam_beta2 must be at least 0 and less than 1"),
        (["--mask_rate", "1.5"], "--mask_rate must be between 0 and 1"),
        (["--dropout", "1"], "--dropout must be at least 0 and less than 1"),
        (["--model", "bert-huge"], "bert-tiny, bert-mini"),
        (["--objective", "clm"], "mlm+nsp"),
        (["--backend", "cuda"], "--backend must be one of numba, numpy, but is cuda (see"),
        (["--tokenizer", "nosuch"], "nosuch: no such tokenizer"),
        (["--config", "nosuch.yaml"], "nosuch.yaml"),
        (["--no_such_option", "1"], "no_such_option"),
        (["--output_dir", "text.txt"], "text.txt: is a file"),
    ],
)
def test_an_option_that_cannot_work(pretrain, tmp_path, options, message):
    assert message in complaint(pretrain(*options))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "content", ["One sentence.\n\nAnother one.\n\nA third one.\n\nA fourth.", "One. Two. Three. Four."]
)
def test_a_corpus_without_pairs_names_the_way_out(pretrain, tmp_path, content):
    path = tmp_path / "lonely.txt"
    path.write_text(content * 20 if "\n" not in content else "\n\n".join([content] * 20))
    error = complaint(pretrain("--vocab_size", "30", corpus=path))
    assert "--objective mlm" in error
    assert not (tmp_path / "run").exists()
    assert pretrain("--vocab_size", "30", "--objective", "mlm", corpus=path).code == 0


def test_fill_mask_without_a_mask(pretrain, command):
    pretrain()
    assert "write [MASK] in place" in complaint(command("fill-mask", "run", "No mask here."))


def test_fill_mask_with_too_long_a_text(pretrain, command):
    pretrain()
    assert "positions for 24" in complaint(command("fill-mask", "run", "[MASK] " + "a cat " * 30))


@pytest.mark.parametrize(
    "argv",
    [
        ["fill-mask", ".", "[MASK]"],
        ["plot", "."],
        ["info", "nosuch"],
        ["info", "."],
        ["info", "bert-tiny", "--method", "x"],
        ["bogus"],
        [],
    ],
)
def test_a_folder_or_a_command_that_is_none(command, argv):
    complaint(command(*argv))


def test_a_picture_of_unknown_format(pretrain, command):
    pretrain()
    assert ".png, .svg or .pdf" in complaint(command("plot", "run", "--output", "loss.bmp"))


def test_damaged_weights(pretrain, command, tmp_path):
    pretrain()
    weights = tmp_path / "run/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert "not a readable safetensors file" in complaint(command("fill-mask", "run", "A [MASK]."))
