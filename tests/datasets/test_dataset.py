"""A dataset behaves as users of Hugging Face know it, does not change, and says what is wrong with a request."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minibert import ClassLabel, Dataset, DatasetDict
from minibert.datasets import Sequence, Value, checks
from minibert.errors import ConfigError, DataError

TEXTS = ["one", "two", "three", "four", "five"]


def small():
    return Dataset({"text": TEXTS, "label": ["b", "a", "b", "b", "a"]})


def test_rows_columns_and_parts():
    data = small()
    assert len(data) == data.num_rows == 5
    assert data.column_names == ["text", "label"]
    assert data[1] == {"text": "two", "label": "a"}
    assert data[-1]["text"] == data[np.int64(4)]["text"] == "five"
    assert data["text"] == TEXTS
    assert data[1:3] == {"text": ["two", "three"], "label": ["a", "b"]}
    assert data[[3, 0]]["text"] == data[np.array([3, 0])]["text"] == ["four", "one"]
    assert [row["text"] for row in data] == TEXTS
    assert data.unique("label") == ["b", "a"]
    assert Dataset.from_list(list(data)).to_dict() == data.to_dict()
    assert Dataset.from_list([{"a": 1}, {"b": 2}]).to_dict() == {"a": [1, None], "b": [None, 2]}
    assert "5 rows" in repr(data)


def test_nothing_changes_in_place():
    data = small()
    data[0]["text"] = data["text"][0] = data[:2]["text"][0] = data.to_dict()["text"][0] = "changed"
    data.map(lambda row: {"text": row["text"].upper()})
    data.map(lambda batch: batch["text"].clear() or {"n": [0] * 5}, batched=True)
    data.shuffle(seed=1), data.remove_columns("text"), data.class_encode_column("label")
    assert data.to_dict() == small().to_dict()


def test_map_row_by_row_and_in_batches_give_the_same():
    data = small()
    one = data.map(lambda row: {"n": len(row["text"]), "text": row["text"].upper()})
    several = data.map(
        lambda rows: {"n": np.array([len(t) for t in rows["text"]]), "text": [t.upper() for t in rows["text"]]},
        batched=True,
        batch_size=2,
    )
    assert one.to_dict() == several.to_dict()
    assert one["n"] == [3, 3, 5, 4, 4]
    assert type(several["n"][0]) is int


def test_batches_are_of_the_asked_size():
    sizes = []
    small().map(lambda rows: sizes.append(len(rows["text"])), batched=True, batch_size=2)
    assert sizes == [2, 2, 1]


def test_a_batch_may_become_more_rows_if_the_old_columns_go():
    split = lambda rows: {"letter": [c for text in rows["text"] for c in text]}  # noqa: E731
    letters = small().map(split, batched=True, remove_columns=["text", "label"])
    assert letters.column_names == ["letter"]
    assert "".join(letters["letter"]) == "".join(TEXTS)
    with pytest.raises(DataError, match="differ in length: label 5, letter 19"):
        small().map(split, batched=True, remove_columns="text")


def test_classes_outlive_a_map_that_leaves_them_alone():
    data = small().class_encode_column("label")
    assert data.map(lambda row: {**row, "n": 1}).features["label"] == ClassLabel(["a", "b"])
    assert data.map(lambda row: {"label": row["label"] / 2}).features["label"] == Value("float64")


@pytest.mark.parametrize(
    ("function", "batched", "what"),
    [
        (lambda row: [1], False, "row 0 the function returned list"),
        (lambda rows: {"n": [1, 2]}, True, "differ in length"),
        (lambda rows: {"n": 1}, True, "int as column 'n'"),
        (lambda rows: {"n": "abc"}, True, "str as column 'n'"),
        (lambda rows: {"n": [1, 2], "m": [1]}, True, "of different lengths"),
        (lambda row: {row["text"]: 1}, False, "columns two for row 1, but one before"),
    ],
)
def test_functions_that_return_no_columns(function, batched, what):
    with pytest.raises(DataError, match=what):
        small().map(function, batched=batched)


def test_filter():
    kept = small().filter(lambda row: row["label"] == "a")
    assert kept["text"] == ["two", "five"]
    several = small().filter(lambda rows: [label == "a" for label in rows["label"]], batched=True, batch_size=2)
    assert several.to_dict() == kept.to_dict()
    with pytest.raises(DataError, match="1 truths, not 5"):
        small().filter(lambda rows: [True], batched=True)
    assert len(small().filter(lambda row: False)) == 0


def test_shuffle_is_a_permutation_that_the_seed_decides():
    data = Dataset({"n": range(100)})
    assert sorted(data.shuffle(seed=1)["n"]) == data["n"]
    assert data.shuffle(seed=1)["n"] == data.shuffle(seed=1)["n"] != data.shuffle(seed=2)["n"]
    assert data.shuffle(seed=1)["n"] != data["n"]


def test_columns_come_go_and_are_renamed():
    data = small().class_encode_column("label").rename_column("label", "sentiment").add_column("n", np.arange(5))
    assert data.column_names == ["text", "sentiment", "n"]
    assert data.features["sentiment"].names == ["a", "b"]
    assert data.remove_columns(["n", "text"]).column_names == ["sentiment"]
    assert data.select_columns(["n", "text"]).column_names == ["n", "text"]
    for act in (lambda: data.rename_column("n", "text"), lambda: data.add_column("n", [0] * 5)):
        with pytest.raises(DataError, match="there is a column"):
            act()
    with pytest.raises(DataError, match="text 5, label 5, n 4"):
        small().add_column("n", [0] * 4)


@pytest.mark.parametrize(
    "act",
    [
        lambda d: d["lable"],
        lambda d: d.remove_columns("lable"),
        lambda d: d.rename_column("lable", "x"),
        lambda d: d.class_encode_column("lable"),
        lambda d: d.select_columns(["text", "lable"]),
        lambda d: d.map(dict, remove_columns=["lable"]),
        lambda d: d.train_test_split(by_content="lable"),
        lambda d: checks.texts(d, "lable"),
    ],
)
def test_a_column_that_does_not_exist_is_met_with_those_that_do(act):
    with pytest.raises(DataError, match="no column 'lable'; there are text, label"):
        act(small())


def test_rows_that_do_not_exist():
    for rows in (5, -6, [0, 5]):
        with pytest.raises(DataError, match="the dataset has 5"):
            small()[rows]


# Splits -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "expected"), [(0.25, 25), (0.301, 31), (7, 7)])
@pytest.mark.parametrize("by_content", [None, "n"])
def test_sizes_of_a_split(size, expected, by_content):
    parts = Dataset({"n": range(100)}).train_test_split(size, by_content=by_content)
    assert parts.num_rows == {"train": 100 - expected, "test": expected}
    assert sorted(parts["train"]["n"] + parts["test"]["n"]) == list(range(100))


def test_the_seed_decides_a_split():
    data = Dataset({"n": range(100)})
    for options in ({}, {"by_content": "n"}):
        first, again, other = (data.train_test_split(0.5, seed=seed, **options)["test"]["n"] for seed in (1, 1, 2))
        assert first == again
        assert set(first) != set(other)
    assert data.train_test_split(3, shuffle=False)["test"]["n"] == [97, 98, 99]


CONTENTS = {"a b": 0, "A  b": 0, "a\nb ": 0, "c": 1, "C": 1, "d": 2, "e": 3, "f": 4, "g": 5}  # what counts as equal


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.sampled_from(list(CONTENTS)), min_size=2),
    seed=st.integers(0, 5),
)
def test_no_content_lies_on_both_sides_whatever_the_order(texts, seed):
    if len({CONTENTS[text] for text in texts}) == 1:
        with pytest.raises(DataError, match="cannot be split"):
            Dataset({"text": texts}).train_test_split(0.3, seed, by_content="text")
        return
    sides = []
    for column in (texts, texts[::-1]):
        try:
            parts = Dataset({"text": column}).train_test_split(0.3, seed, by_content="text")
        except DataError:  # one text fills the test, and too many of another are left to no side
            assert len({CONTENTS[text] for text in texts}) < 4
            return
        train, test = ({CONTENTS[text] for text in parts[side]["text"]} for side in ("train", "test"))
        assert not train & test
        assert len(parts["train"]) + len(parts["test"]) == len(texts)
        assert len(parts["test"]) >= 0.3 * len(texts)
        sides.append((train, test))
    assert sides[0] == sides[1]


def test_content_of_two_columns():
    data = Dataset({"a": ["x", "x", "y", "y"] * 10, "b": ["1", "2"] * 20})
    parts = data.train_test_split(0.5, by_content=["a", "b"])
    pairs = [{(row["a"], row["b"]) for row in parts[side]} for side in ("train", "test")]
    assert [len(side) for side in pairs] == [2, 2]
    assert not pairs[0] & pairs[1]


def test_splits_that_cannot_be():
    for size in (0, 1.0, 1.5, -0.1, -3, True):
        with pytest.raises(ConfigError, match="test_size"):
            small().train_test_split(size)
    with pytest.raises(DataError, match="leave some"):
        small().train_test_split(5)
    with pytest.raises(DataError, match="cannot be split"):
        Dataset({"n": [1]}).train_test_split(0.5)


# Classes ------------------------------------------------------------------------------------


def test_types_of_columns():
    data = Dataset({"t": ["a"], "n": [1], "x": [1.5], "b": [True], "l": [[1, 2]], "z": [None], "d": [{"k": "v"}]})
    assert data.features == {
        **{"t": Value("string"), "n": Value("int64"), "x": Value("float64"), "b": Value("bool")},
        **{"l": Sequence(Value("int64")), "z": Value("null"), "d": {"k": Value("string")}},
    }
    assert Dataset({"m": [1, "a"]}).features["m"] == Value("mixed")


def test_labels_become_numbers_with_names():
    data = small().class_encode_column("label")
    feature = data.features["label"]
    assert data["label"] == [1, 0, 1, 1, 0]
    assert (feature.names, feature.num_classes, feature.int2str(1), feature.str2int("b")) == (["a", "b"], 2, "b", 1)
    assert data.class_encode_column("label") is data
    assert data.shuffle().select([0]).features["label"] == feature
    stars = Dataset({"label": [10, 2, 9]}).class_encode_column("label")
    assert stars.features["label"].names == ["2", "9", "10"]  # sorted as numbers
    tags = Dataset({"tags": [["O", "B-A"], [], ["I-A"]]}).class_encode_column("tags")
    assert tags["tags"] == [[2, 0], [], [1]]
    assert tags.features["tags"].feature.names == ["B-A", "I-A", "O"]


def test_labels_at_evaluation_are_those_that_were_learned():
    feature = small().class_encode_column("label").features["label"]
    assert Dataset({"label": ["b", "b"]}).cast_column("label", feature)["label"] == [1, 1]
    with pytest.raises(DataError, match="row 1 of column 'label': 'c' is none of the 2 classes: a, b"):
        Dataset({"label": ["b", "c"]}).cast_column("label", feature)
    with pytest.raises(DataError, match=r"row 0 .* within 0\.\.1"):
        Dataset({"label": [2]}).cast_column("label", feature)
    with pytest.raises(DataError, match=r"row 1 .* missing"):
        Dataset({"label": ["b", None]}).cast_column("label", feature)


def test_numbers_of_classes_follow_their_names():
    stars = ClassLabel(["1", "2", "3"])
    data = Dataset({"label": [1, 3]}).cast_column("label", stars)
    assert data["label"] == [0, 2]
    assert data.cast_column("label", stars)["label"] == [0, 2]  # not once more
    assert data.cast_column("label", ClassLabel(["3", "2", "1"]))["label"] == [2, 0]
    with pytest.raises(DataError, match="none of the 3 classes"):
        Dataset({"label": [0]}).cast_column("label", stars)
    assert Dataset({"label": [0, 1]}).cast_column("label", ClassLabel(num_classes=2))["label"] == [0, 1]


def test_class_labels_that_cannot_be():
    for bad in ({}, {"names": []}, {"names": ["a", "a"]}, {"names": ["a"], "num_classes": 1}):
        with pytest.raises(ConfigError):
            ClassLabel(**bad)
    with pytest.raises(DataError, match=r"within 0\.\.1"):
        ClassLabel(["a", "b"]).int2str(-1)


def test_all_splits_get_the_classes_of_train():
    splits = DatasetDict(test=Dataset({"label": ["b"]}), train=Dataset({"label": ["a", "b"]}))
    assert splits.class_encode_column("label")["test"]["label"] == [1]
    splits["test"] = Dataset({"label": ["z"]})
    with pytest.raises(DataError, match=r"split test: row 0 .* 'z' is none"):
        splits.class_encode_column("label")


def test_every_split_gets_what_one_would():
    splits = small().train_test_split(2)
    mapped = splits.map(lambda rows: {"n": [len(t) for t in rows["text"]]}, batched=True).remove_columns("text")
    assert mapped.column_names == {"train": ["label", "n"], "test": ["label", "n"]}
    assert splits.filter(lambda row: row["label"] == "a").num_rows == {
        side: splits[side]["label"].count("a") for side in splits
    }
    assert sorted(splits.shuffle(3)["train"]["text"]) == sorted(splits["train"]["text"])
    assert splits.rename_column("text", "t").select_columns("t").column_names["test"] == ["t"]
    with pytest.raises(DataError, match="no split 'dev'; there are train, test"):
        splits["dev"]


# What a task needs --------------------------------------------------------------------------


def test_texts():
    assert checks.texts(Dataset({"t": ["a", ""]}), "t") == ["a", ""]
    for values, what in [
        (["a", None], "row 1 .* missing"),
        (["a", 3], "row 1 .* no text"),
        (["", " "], "all texts"),
        ([], "no row"),
    ]:
        with pytest.raises(DataError, match=what):
            checks.texts(Dataset({"t": values}), "t")


def test_classes_to_learn():
    labels, feature = checks.classes(small(), "label")
    assert labels.tolist() == [1, 0, 1, 1, 0]
    assert feature.names == ["a", "b"]
    for values, what in [
        (["a", "a"], "all 2 rows to learn from are of the class 'a'"),
        (["a", None], "row 1 of column 'label': the label is missing"),
        (["a", ""], "row 1 .* missing"),
        ([None, None], "no label"),
        ([0.5, 1.5], "classes are strings or integers"),
        ([["O"], ["O"]], "lists"),
        ([], "no row"),
    ]:
        with pytest.raises(DataError, match=what):
            checks.classes(Dataset({"label": values}), "label")


def test_numbers():
    assert checks.numbers(Dataset({"y": [1, 2.5]}), "y").tolist() == [1, 2.5]
    for values, what in [
        ([1, None], "row 1 .* missing"),
        ([1, float("nan")], "no finite number"),
        ([1, "two"], "no finite number"),
        ([True, 1], "no finite number"),
    ]:
        with pytest.raises(DataError, match=what):
            checks.numbers(Dataset({"y": values}), "y")
