"""Sentences end where a reader would end them, no character is lost, and hostile text takes no longer."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibert.data.sentences import split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Really?! Yes.", ["Really?!", "Yes."]),
        ('He said "no." She left.', ['He said "no."', "She left."]),
        ("(He left.) “Why?” ‘So.’ End.", ["(He left.)", "“Why?”", "‘So.’", "End."]),
        ('"Why?" he asked. Then (so!) it went.', ['"Why?" he asked.', "Then (so!) it went."]),
        ('He came. "And then?" Nothing.', ["He came.", '"And then?"', "Nothing."]),
        ("Dr. Smith met Mrs. Jones vs. Mr. X.", ["Dr. Smith met Mrs. Jones vs. Mr. X."]),
        ("See e.g. Paris, i.e. France. Good.", ["See e.g. Paris, i.e. France.", "Good."]),
        ("The U.S. Army. It is 3 p.m. now.", ["The U.S. Army.", "It is 3 p.m. now."]),
        ("J. R. R. Tolkien wrote it. So did I. Truly.", ["J. R. R. Tolkien wrote it.", "So did I.", "Truly."]),
        ("It is 3.14 or .5, see www.python.org/a.b for more.", ["It is 3.14 or .5, see www.python.org/a.b for more."]),
        ("In 1999. Then 2000. End.", ["In 1999.", "Then 2000.", "End."]),
        ("1. Open it. 2. Close it.", ["1. Open it.", "2. Close it."]),
        ("See fig. 3 on p. 5. He said no. She said so.", ["See fig. 3 on p. 5.", "He said no.", "She said so."]),
        ("Well ... perhaps… not. Wait... What?", ["Well ... perhaps… not.", "Wait...", "What?"]),
        ("a lower text . with spaces . as data has", ["a lower text .", "with spaces .", "as data has"]),
        ("A heading\n\nA paragraph\nof two lines.\n \nNext", ["A heading", "A paragraph of two lines.", "Next"]),
        ("  A \t b.\r\n\r\n C  ", ["A b.", "C"]),
        ("你好。我很好！真的吗？是的", ["你好。", "我很好！", "真的吗？", "是的"]),
        ("他说：“你好。”我走了。（完。）《书！》好", ["他说：“你好。”", "我走了。", "（完。）", "《书！》", "好"]),
        ("什么？！……好。价格是3.5元。", ["什么？！……", "好。", "价格是3.5元。"]),
        ("真的吗?是的!好", ["真的吗?", "是的!", "好"]),
        ("我用Python。It works. 好。", ["我用Python。", "It works.", "好。"]),
        ("", []),
        (" \n\n\t\n", []),
        ("...", ["..."]),
    ],
)
def test_examples(text, sentences):
    assert split_sentences(text) == sentences


pieces = st.sampled_from([*"aAé 你。！.!?…\"”')」\n1\u3000", "Dr", "e.g", "U.S", "\n\n"])


@given(st.lists(pieces, max_size=60).map("".join))
def test_only_white_space_is_lost(text):
    sentences = split_sentences(text)
    assert "".join("".join(sentences).split()) == "".join(text.split())
    assert all(sentence == " ".join(sentence.split()) and sentence for sentence in sentences)


@pytest.mark.parametrize("unit", ["word ", "字", "long" * 2000 + " "])
def test_what_never_ends_is_cut(unit):
    text = (unit * (100_000 // len(unit))).strip()
    sentences = split_sentences(text)
    assert 10 <= len(sentences) <= 20
    assert max(map(len, sentences)) <= 10_000
    assert " ".join(sentences) == text if " " in text else "".join(sentences) == text


@pytest.mark.parametrize(
    "unit", [".", ". ", "..x", '."', "a.", "A. ", "。", "\n", "\n ", " ", '"', "x", "U.S. ", "1. ", "No. ", "Dr."]
)
def test_linear_time_on_hostile_text(unit):
    text = unit * (300_000 // len(unit))
    begin = time.perf_counter()
    split_sentences(text)
    assert time.perf_counter() - begin < 5  # a fraction of a second; quadratic time would take minutes
