"""Whatever a row of JSONL holds instead of a label or a text, a task reads it or refuses it in one line."""

import json

import pytest
from finetune_cases import checkpoint

from minibert.errors import DataError, MinibertError
from minibert.finetuning.arguments import FinetuneArguments
from minibert.finetuning.finetune import prepare

ANNA = {"text": ["anna"], "answer_start": [0]}
ROWS = {  # task -> the even and the odd rows of a table that is sound; N is the number of the row
    "classification": ({"text": "film N", "label": 0}, {"text": "film N", "label": 1}),
    "regression": ({"text": "film N", "label": 0.5}, {"text": "film N", "label": 1.5}),
    "multi-label": ({"text": "film N", "labels": ["x"]}, {"text": "film N", "labels": []}),
    "tokens": ({"tokens": ["anna", "N"], "tags": ["B-PER", "O"]}, {"tokens": ["in", "N"], "tags": ["O", "O"]}),
    "question-answering": ({"question": "who N", "context": "anna and ben", "answers": ANNA},) * 2,
    "multiple-choice": ({"question": "N", "choices": ["a", "b"], "label": 0},
                        {"question": "N", "choices": ["a", "b"], "label": "b"}),
    "pairs": ({"sentence1": "N", "sentence2": "b", "score": 0.5}, {"sentence1": "N", "sentence2": "b", "score": 1}),
}  # fmt: skip
ODD = [
    None, "", "x", "a" * 3000, 0, -1, 7, 10**30, 1.5, float("nan"), True, [], [None], [""], ["x"], [1], [1.5], [["x"]],
    [{}], {}, ["O", "O"], ["B-PER", "X"], ["O", None], {"text": [], "answer_start": []}, {"text": "anna"},
    {**ANNA, "text": "anna"}, {**ANNA, "text": [5]}, {**ANNA, "text": None}, {**ANNA, "text": [""]},
    *({**ANNA, "answer_start": starts} for starts in (None, 0, [], [500], [-1], ["0"], [1.0])),
]  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return checkpoint(tmp_path_factory.mktemp("odd") / "base")


def table(folder, task, column="", odd=None, at=()):
    rows = [json.loads(json.dumps(ROWS[task][i % 2]).replace("N", f"{i}")) for i in range(8)]
    for i in at:
        rows[i][column] = odd
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def columns_to_train_on(base, task, data, **options):
    prepared = prepare(str(base), FinetuneArguments(task=task, data=data, backend="numpy", max_length=20, **options))
    return prepared.train.columns(prepared.task, prepared.start.names)


def refusal(base, task, data):
    try:
        columns_to_train_on(base, task, data, eval_data=data)
    except MinibertError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("task", ROWS)
def test_it_is_read_or_refused(base, tmp_path, task):
    data = table(tmp_path, task)
    assert columns_to_train_on(base, task, data, eval_data=data)
    for column in ROWS[task][0]:
        for odd in ODD:
            for at in ([0], [3], range(8)):
                table(tmp_path, task, column, odd, at)
                said = refusal(base, task, data)
                assert "\n" not in said
                assert len(said) < 500


@pytest.mark.parametrize(
    ("task", "column", "odd", "message"),
    [
        ("classification", "label", None, "row 5 of column 'label': the label is missing"),
        ("classification", "label", ["x"], "row 0 of column 'label': 0 is no list of labels"),
        ("classification", "label", {"a": 1}, "column 'label' holds {'a': 1}: classes are strings or integers"),
        ("classification", "text", " ", r"row 5 of column 'text' is an empty text \(1 of 8 are\)"),
        ("regression", "label", "high", "row 5 of column 'label' is 'high', no finite number"),
        ("multi-label", "labels", None, "row 5 of column 'labels': the list of labels is missing"),
        ("multi-label", "labels", "x", "row 5 of column 'labels': 'x' is no list of labels"),
        ("multi-label", "labels", [["x"]], r"column 'labels' holds \['x'\]: classes are strings or integers"),
        ("tokens", "tags", None, "row 5 of column 'tags': the list of labels is missing"),
        ("tokens", "tags", ["O"], "row 5 has 2 words, but 1 labels"),
        ("question-answering", "answers", {**ANNA, "answer_start": [5]}, "row 5 .* has no 'anna' at character 5"),
        ("question-answering", "answers", {**ANNA, "answer_start": 0}, "row 5 of column 'answers' must be {"),
        ("multiple-choice", "label", 2, r"row 5 of column 'label' is 2: it must be within 0\.\.1"),
        ("pairs", "score", 4.5, r"row 5 of column 'score' is 4\.5, but a cosine is within"),
    ],
)
def test_a_row_is_named_by_its_number_in_the_file(base, tmp_path, task, column, odd, message):
    """Without splits the table is divided, which shuffles its rows."""
    with pytest.raises(DataError, match=message):
        columns_to_train_on(base, task, table(tmp_path, task, column, odd, [5]))


def test_rows_that_all_have_the_same_labels_teach_nothing(base, tmp_path):
    data = table(tmp_path, "multi-label", "labels", ["x", "y"], range(8))
    with pytest.raises(DataError, match="all rows of column 'labels' have the same labels: nothing to learn"):
        columns_to_train_on(base, "multi-label", data)
