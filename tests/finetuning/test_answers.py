"""Long contexts in windows, answers in tokens and back in characters, and the best of all valid spans."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minibert.data.tokenizer import train_tokenizer
from minibert.errors import ConfigError, DataError
from minibert.finetuning.answer_windows import answer_tokens, answer_windows
from minibert.finetuning.best_span import best_answer, best_span
from minibert.tokenizers.auto import with_face

CONTEXT = "The import statement is used to import a module. A module is a file, and its name is the file's name. " * 3
QUESTIONS = ["What is it used for?", "What is a module?"]


@pytest.fixture(scope="module", params=["wordpiece", "bpe"])
def tokenizer(request):
    size, options = (60, {"lowercase": True}) if request.param == "wordpiece" else (290, {"masked": True})
    return with_face(train_tokenizer(request.param, [CONTEXT * 9 + " ".join(QUESTIONS)], size, **options))


@pytest.fixture(scope="module")
def windows(tokenizer):
    return answer_windows(tokenizer, QUESTIONS, [CONTEXT, CONTEXT[:40]], max_length=40, stride=9)


def test_windows_cover_the_context_and_share_stride_tokens(windows):
    rows = [i for i, owner in enumerate(windows.owners) if owner == 0]
    assert windows.owners == [0] * len(rows) + [1]
    assert len(rows) > 2
    assert {len(row) for row in windows.encoding["input_ids"]} == {40}
    places = [
        [place for place, inside in zip(windows.offsets[i], windows.in_context[i], strict=True) if inside] for i in rows
    ]
    for before, after in itertools.pairwise(places):
        assert before[-9:] == after[:9]
    covered = {c for row in places for begin, end in row for c in range(begin, end)}
    assert covered >= {i for i, c in enumerate(CONTEXT) if not c.isspace()}


def test_the_answer_is_found_wherever_it_is_whole(windows):
    """In the windows that hold it the tokens give its text back; in the others the answer is [CLS]."""
    begin = CONTEXT.index("a file", 150)
    answer, held = (begin, begin + len("a file")), 0
    for offsets, inside, owner in zip(windows.offsets, windows.in_context, windows.owners, strict=True):
        start, end = answer_tokens(offsets, inside, answer)
        places = [offset for offset, flag in zip(offsets, inside, strict=True) if flag]
        whole = places[0][0] <= answer[0] and answer[1] <= places[-1][1]
        assert (start > 0) == whole
        if whole:
            held += 1
            assert owner == 0
            assert CONTEXT[offsets[start][0] : offsets[end][1]].strip() == "a file"
    assert held >= 1


def test_every_answer_of_the_context_comes_back(windows):
    """Score its tokens highest, and the answer that was put in comes out, in characters."""
    row = 0
    offsets, inside = windows.offsets[row], windows.in_context[row]
    tokens = [i for i, flag in enumerate(inside) if flag]
    for first, last in [(tokens[0], tokens[0]), (tokens[2], tokens[5]), (tokens[-3], tokens[-1])]:
        answer = (offsets[first][0], offsets[last][1])
        assert answer_tokens(offsets, inside, answer) == (first, last)
        logits = np.zeros((2, 1, 40))
        logits[0, 0, first] = logits[1, 0, last] = 5
        found = best_answer(*logits, [offsets], [inside], CONTEXT)
        assert (found.start, found.end, found.text) == (*answer, CONTEXT[slice(*answer)])


def test_an_answer_that_ends_within_a_token_takes_the_whole_token():
    offsets, inside = [(0, 0), (0, 4), (5, 9), (0, 0)], [False, True, True, False]
    assert answer_tokens(offsets, inside, (5, 7)) == (2, 2)
    assert answer_tokens(offsets, inside, (2, 6)) == (1, 2)
    assert answer_tokens(offsets, inside, (5, 12)) == (0, 0)
    assert answer_tokens(offsets, inside, None) == (0, 0)
    with pytest.raises(DataError, match="begin < end"):
        answer_tokens(offsets, inside, (5, 5))


logits = st.lists(st.floats(-5, 5, width=16), min_size=6, max_size=6)


@settings(max_examples=60)
@given(logits, logits, st.lists(st.booleans(), min_size=6, max_size=6), st.integers(1, 7))
def test_no_valid_span_is_better(start, end, allowed, longest):
    """Against all spans, one by one."""
    spans = [
        (start[i] + end[j], i, j) for i in range(6) for j in range(i, min(6, i + longest)) if allowed[i] and allowed[j]
    ]
    found = best_span(start, end, allowed, longest)
    assert (found is None) == (not spans)
    if spans:
        assert found.score == max(score for score, _, _ in spans)
        assert (found.score, found.start, found.end) in spans


def test_the_best_start_and_the_best_end_may_make_no_span():
    span = best_span([0, 1, 0, 9], [9, 2, 0, 1], [True] * 4)
    assert (span.start, span.end, span.score) == (3, 3, 10.0)
    assert best_span([9, 0, 0, 0], [0, 0, 0, 9], [True] * 4, max_length=3)[1:] != (0, 3)
    with pytest.raises(ConfigError, match="at least 1"):
        best_span([1.0], [1.0], [True], 0)


def test_no_answer_is_given_when_the_first_token_scores_higher():
    offsets, inside = [[(0, 0), (0, 2), (3, 5)]] * 2, [[False, True, True]] * 2
    start, end = [[4.0, 1, 2], [1.0, 0, 0]], [[4.0, 0, 2], [1.0, 0, 0]]
    assert best_answer(start, end, offsets, inside, "ab cd").text == "cd"
    answer = best_answer(start, end, offsets, inside, "ab cd", null_threshold=0.0)
    assert (answer.text, answer.null_score) == ("cd", 2.0)  # the second window is sure to hold none, the first is not
    assert best_answer(start, end, offsets, inside, "ab cd", null_threshold=2.0).text == ""
    assert best_answer(start[:1], end[:1], offsets[:1], inside[:1], "ab cd", null_threshold=0.0).text == ""
    assert best_answer([[1.0]], [[2.0]], [[(0, 0)]], [[False]], "").text == ""
