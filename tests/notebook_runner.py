"""Run the notebooks from a clean kernel, and compare what they say with what is committed.

    python tests/notebook_runner.py [NAME...]

runs the notebooks whose file names begin with NAME (by default all) and writes their outputs: after an edit.

Tags of cells: `exercise` holds what a learner fills in, `check` judges it, `key-numbers` prints a JSON object whose
numbers must stay what they are, within the tolerances of the cell's metadata, `varies` marks outputs that
depend on the machine, as times do, and `fetched` cells that need a model from the package index.
"""

import copy
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).parents[1] / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
CELL_SECONDS = 600  # a guard against hanging, far above what any cell needs
SECONDS, CORES = 120, 2  # that a notebook may take, and of how many cores
RTOL = 1e-6  # of a key number whose cell does not say otherwise
PROCESSOR_SECONDS = "__import__('time').process_time()"
WIDGET = "application/vnd.jupyter.widget-view+json"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


class Lesson:
    """One notebook: as committed, and as run now."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.committed = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
        self.now = copy.deepcopy(self.committed)

    def run(self, folder: str | Path, solutions: list[str], fetched: bool = False) -> list[str]:
        """Run all cells, then the solutions; return what the `check` cells print after that.

        Unless `fetched`, the cells with that tag keep the outputs that are committed.
        """
        client = NotebookClient(
            self.now,
            timeout=CELL_SECONDS,
            kernel_name="python3",
            coalesce_streams=True,
            resources={"metadata": {"path": str(folder)}},
        )
        with client.setup_kernel():
            start = time.perf_counter()
            for i, cell in enumerate(self.now.cells):
                if fetched or "fetched" not in cell.metadata.get("tags", []):
                    client.execute_cell(cell, i, store_history=True)
            self.seconds = time.perf_counter() - start
            self.processor_seconds = float(text(client.execute_cell(nbformat.v4.new_code_cell(PROCESSOR_SECONDS), 0)))
            unanswered = copy.deepcopy(self.now.cells)
            answers = [nbformat.v4.new_code_cell(solution) for solution in solutions]
            checks = tagged(self.now, "check")
            for cell in [*answers, *checks]:
                client.execute_cell(cell, 0)
            self.now.cells = unanswered
            return [text(cell) for cell in checks]

    @property
    def is_past_its_time(self) -> bool:
        """Does it take too long, and not only because others use the machine too?"""
        return self.seconds > SECONDS and self.processor_seconds > CORES * SECONDS

    def differences(self) -> Iterator[str]:
        """Yield where the text printed now is not the text committed; numbers may differ in the last digits."""
        for before, now in zip(self.committed.cells, self.now.cells, strict=True):
            if before.cell_type == "code" and "varies" not in before.metadata.get("tags", []):
                a, b = text(before), text(now)
                if NUMBER.sub("#", a) != NUMBER.sub("#", b) or not all(map(near, NUMBER.findall(a), NUMBER.findall(b))):
                    yield f"cell {before.id} of {self.name} printed {b!r}, but the committed output is {a!r}"

    def changed_numbers(self) -> Iterator[str]:
        """Yield the key numbers that are not the committed ones."""
        for before, now in zip(tagged(self.committed, "key-numbers"), tagged(self.now, "key-numbers"), strict=True):
            tolerances = before.metadata.get("tolerances", {})
            a, b = json.loads(text(before)), json.loads(text(now))
            if a.keys() != b.keys():
                yield f"{self.name} has the key numbers {list(b)}, but committed are {list(a)}"
            for name in a.keys() & b.keys():
                rtol = tolerances.get(name, RTOL)
                if not abs(a[name] - b[name]) <= rtol * abs(a[name]):
                    yield f"{name} of {self.name} is {b[name]}, but was {a[name]} (tolerance {rtol})"


def tagged(notebook: NotebookNode, tag: str) -> list[NotebookNode]:
    """Return the cells that have that tag."""
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def text(cell: NotebookNode) -> str:
    """Return what a cell printed and what its last line is."""
    streams = [o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stdout"]
    results = [o.data.get("text/plain", "") for o in cell.outputs if "data" in o and "image/png" not in o.data]
    return "".join([*streams, *results])


def near(a: str, b: str) -> bool:
    """Are two printed numbers the same but for rounding?"""
    return abs(float(a) - float(b)) <= max(1e-7, 2e-3 * abs(float(a)))


def solutions_of(name: str) -> list[str]:
    """Return the solutions to a notebook's exercises, from `notebooks/SOLUTIONS.md`."""
    sections = re.split(r"^## ", (FOLDER / "SOLUTIONS.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    (section,) = (s for s in sections if s.startswith(name))
    return re.findall(r"^```python\n(.*?)^```", section, flags=re.MULTILINE | re.DOTALL)


def write(name: str) -> None:
    """Run a notebook and write it with its outputs, without what differs from run to run."""
    lesson = Lesson(name)
    with tempfile.TemporaryDirectory() as folder:
        verdicts = lesson.run(folder, solutions_of(name), fetched=True)
    print(name, *map(str.strip, verdicts), sep="\n  ", flush=True)
    for cell in lesson.now.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET, None)  # it lives as long as its kernel; its text stays
    lesson.now.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    nbformat.write(lesson.now, FOLDER / f"{name}.ipynb")


if __name__ == "__main__":
    for name in NAMES:
        if not sys.argv[1:] or name.startswith(tuple(sys.argv[1:])):
            write(name)
