"""Whatever is in a file, a reader says what is wrong with it: no other error, no hang, little memory.

Each reader meets its cases in a process of its own (`hostile.child`): some by hand, some with a hostile value at each
place of a description, some changed at random from a seed. What a reader accepts all the same stands in its list
`accepted` with the reason; hostile values and changes at random may leave a file that is as good as before, and what
is read then must be well-formed.

Some readers take more memory than the size of the file, by design. A table of labelled data is in memory as a whole;
a vocabulary of half a million tokens is a legitimate file, so that a `tokenizer.json` may hold more values than other
descriptions before they are too many.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hostile.readers import READERS

TESTS = Path(__file__).parents[1]
ROOM = 64 * 2**20  # bytes beyond the size of the file
TIME = 2.0  # seconds of the processor: a busy machine makes them no more
LONGEST_MESSAGE = 1000
SOME, ALL = (160, 80, 80), (10**6, 500, 500)  # cases by hand, hostile values, changes at random


def met(kind, folder, counts, seed):
    """What the child process tells: a case by hand, a hostile value or a change at random a row."""
    command = [sys.executable, "-m", "hostile.child", kind, str(folder), *map(str, counts), str(seed)]
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    child = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in child.stdout.splitlines()]
    assert child.returncode == 0, f"{lines[-1] if lines else 'no case'} ended the process: {child.stderr[-2000:]}"
    return [line for line in lines if "what" in line]


def check(rows):
    crashes = [f"{row['name']}: {row['message']}" for row in rows if row["what"] == "crash"]
    assert not crashes, f"{len(crashes)} of {len(rows)}, for example {crashes[0]}"
    assert not [row["name"] for row in rows if row["what"] == "read" and not row["accepted"]]
    assert not [row["name"] for row in rows if row["group"] == "by hand" and row["what"] != "read" and row["accepted"]]
    refused = [row for row in rows if row["what"] != "read"]
    assert not [row["message"] for row in refused if "\n" in row["message"] or not row["message"]]
    assert max(len(row["message"]) for row in refused) <= LONGEST_MESSAGE
    assert not [(row["name"], row["over"]) for row in refused if row["over"] > ROOM]
    assert not [(row["name"], row["cpu"]) for row in rows if row["cpu"] > TIME]


def report(kind, rows):
    """A line of the table that says how it went; `pytest -s` shows it."""
    read = sum(row["what"] == "read" for row in rows)
    most, slowest = max(row["over"] for row in rows) / 2**20, max(row["cpu"] for row in rows)
    groups = [sum(row["group"] == group for row in rows) for group in ("by hand", "swap", "generated")]
    print(f"\n{kind}: {groups} cases, {len(rows) - read} refused, {read} read, {most:.0f} MiB, {slowest:.1f} s")


@pytest.mark.parametrize("kind", READERS)
def test_malformed_input_is_refused(kind, tmp_path):
    rows = met(kind, tmp_path, SOME, seed=1)
    report(kind, rows)
    assert len(rows) >= 300
    assert sum(row["what"] != "read" for row in rows) >= 150
    check(rows)


@pytest.mark.slow
@pytest.mark.parametrize("kind", READERS)
def test_all_malformed_input_is_refused(kind, tmp_path):
    rows = met(kind, tmp_path, ALL, seed=2)
    report(kind, rows)
    assert sum(row["what"] != "read" for row in rows) >= 300
    check(rows)
