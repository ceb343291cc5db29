"""What `--config` does not take: a line that says why, in little time."""

import time

import pytest

TIME = 2.0  # seconds of the processor
BOMB = [f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)]
REFUSED = {
    "a bomb": ("\n".join(["a: &a [x, x, x]", *BOMB]), "it holds an alias"),
    "a bomb in an option": ("\n".join(["corpus: &a [x, x, x]", *BOMB]), "it holds an alias"),
    "a list in itself": ("corpus: &a [*a]", "it holds an alias"),
    "a tag of Python": ("corpus: !!python/object/apply:os.system [ls]", "it holds a tag"),
    "a tag of YAML": ("max_steps: !!int ''", "it holds a tag"),
    "lists in each other": ("corpus: " + "[" * 5000 + "]" * 5000, "it is nested without end"),
    "objects in each other": ("{a: " * 5000, "it is nested without end"),
    "an option twice": ("max_steps: 1\nmax_steps: 2", "max_steps stands there twice"),
    "an integer of 5,000 digits": ("max_steps: " + "9" * 5000, "Exceeds the limit"),
    "a date that is none": ("max_steps: 2020-02-31", "--max_steps must be an integer"),
    "no number": ("learning_rate: .nan", "--learning_rate must be positive"),
    "infinity": ("max_steps: .inf", "--max_steps must be an integer"),
    "a NUL": ("corpus: a\0b", "unacceptable character"),
    "half a surrogate pair": ('corpus: "\\ud800"', "invalid"),
    "two documents": ("---\na: 1\n---\nb: 2", "another document"),
    "a list": ("- a", "Unexpected config"),
    "nothing": ("", "Unexpected config"),
    "a million letters": ("# " + "a" * 10**6, "characters are too many"),
    "UTF-16": ("max_steps: 2".encode("utf-16"), "--config: invalid UTF-8 at byte offset 0"),
    "Latin-1": ("corpus: é".encode("latin-1"), "--config: invalid UTF-8 at byte offset 8"),
}


@pytest.mark.parametrize(("content", "why"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_in_a_line(command, tmp_path, content, why):
    (tmp_path / "a.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    begin = time.process_time()
    result = command("pretrain", "--config", "a.yaml")
    assert time.process_time() - begin < TIME
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert why in result.err


def test_marks_windows_line_ends_and_stars_in_texts_are_read(command, tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfmax_steps: 7\r\ncorpus: ['*.txt', '&a']\r\n")
    printed = command("pretrain", "--config", "a.yaml", "--print_config").out
    assert "max_steps: 7" in printed
    assert "'*.txt'" in printed
