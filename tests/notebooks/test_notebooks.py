"""Every notebook runs from a clean kernel and says what it says in the repository; its exercises can be solved."""

import json

import nbformat
import pytest

from minibert.data.released_models import RELEASED_MODELS, fetch_model
from minibert.errors import DataError

nbclient = pytest.importorskip("nbclient", reason='running notebooks needs pip install -e ".[test]"')

from notebook_runner import FOLDER, NAMES, Lesson, solutions_of, tagged, text  # noqa: E402

SLOW = {"06_bert_mlm_nsp", "08_roberta_against_bert"}  # they have real runs in them
FETCHED = "11_what_did_it_learn"  # some of its cells look into this model
MODEL = "all-minilm-l6-v2"

RUNS = [
    *(pytest.param((name, False), id=name, marks=[pytest.mark.slow] if name in SLOW else []) for name in NAMES),
    pytest.param((FETCHED, True), id=f"{FETCHED}, with {MODEL}", marks=pytest.mark.slow),
]


@pytest.fixture(scope="module", params=RUNS)
def lesson(request, tmp_path_factory):
    name, fetched = request.param
    if fetched:
        try:
            fetch_model(RELEASED_MODELS[MODEL])
        except DataError as error:
            pytest.skip(f"{MODEL} cannot be fetched here: {error}")
    lesson = Lesson(name)
    lesson.verdicts = lesson.run(tmp_path_factory.mktemp("lesson"), solutions_of(name), fetched)
    return lesson


def test_only_one_notebook_needs_a_model_from_the_index():
    assert [name for name in NAMES if tagged(Lesson(name).committed, "fetched")] == [FETCHED]


def test_it_prints_what_is_committed(lesson):
    assert list(lesson.differences()) == []


def test_its_key_numbers_are_the_committed_ones(lesson):
    assert tagged(lesson.now, "key-numbers")
    assert list(lesson.changed_numbers()) == []


def test_it_is_not_past_its_time(lesson):
    assert lesson.seconds >= 0.1  # it was measured
    assert lesson.processor_seconds >= 0.1
    assert not lesson.is_past_its_time, f"{lesson.seconds:.0f} s, of processors {lesson.processor_seconds:.0f} s"


def test_no_exercise_is_answered_and_each_solution_is_right(lesson):
    before = [line for cell in tagged(lesson.now, "check") for line in text(cell).splitlines()]
    after = [line for verdict in lesson.verdicts for line in verdict.splitlines()]
    assert len(before) >= 2
    assert all(line.endswith("not answered yet.") for line in before), before
    assert all(line.endswith("right.") for line in after), after


@pytest.mark.parametrize("name", NAMES)
def test_pictures_have_alt_text_and_are_small(name):
    path = FOLDER / f"{name}.ipynb"
    pictures = [
        output
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    assert pictures
    assert all(len(picture.metadata["image/png"]["alt"]) > 20 for picture in pictures)
    assert path.stat().st_size < 500_000


def test_a_changed_number_is_found():
    lesson = Lesson(NAMES[0])
    (cell,) = tagged(lesson.now, "key-numbers")
    numbers = json.loads(text(cell))
    name = next(name for name, value in numbers.items() if value)
    numbers[name] *= 1 + 1e-4
    cell.outputs[0].text = json.dumps(numbers)
    assert [name in message for message in lesson.changed_numbers()] == [True]


@pytest.mark.parametrize(
    ("seconds", "processor_seconds", "past"),
    [(100, 190, False), (100, 4000, False), (500, 190, False), (130, 250, True)],
)
def test_a_notebook_that_is_too_slow_is_found_and_a_busy_machine_is_no_reason(seconds, processor_seconds, past):
    """On many cores threads that wait take processor time; on a busy machine others do."""
    lesson = Lesson(NAMES[0])
    lesson.seconds, lesson.processor_seconds = seconds, processor_seconds
    assert lesson.is_past_its_time == past
