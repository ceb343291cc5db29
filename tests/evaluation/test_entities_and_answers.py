"""Entities and answers, on cases whose scores can be counted by hand."""

import re
import string
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minibert.errors import DataError
from minibert.evaluation import entity_f1, entity_scores, exact_match, token_f1
from minibert.evaluation.answers import exact_matches, normalise_answer, token_f1s
from minibert.evaluation.entities import Entity, entities, entity_tallies, f1_of_tallies

TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("O B-PER I-PER O", [("PER", 1, 3)]),
        ("B-PER B-PER", [("PER", 0, 1), ("PER", 1, 2)]),
        ("B-PER I-LOC", [("PER", 0, 1), ("LOC", 1, 2)]),
        ("O I-PER I-PER", [("PER", 1, 3)]),  # a missing B is forgiven
        ("B-PER O I-PER", [("PER", 0, 1), ("PER", 2, 3)]),
        ("I-PER B-PER I-PER", [("PER", 0, 1), ("PER", 1, 3)]),
        ("B-a-b I-a-b", [("a-b", 0, 2)]),
        ("O", []),
        ("", []),
    ],
)
def test_entities(tags, expected):
    assert entities(tags.split()) == [Entity(*entity) for entity in expected]


def chunks_by_conlleval(tags):
    """conlleval's own way, word by word: does a chunk end before this word, does one start at it?"""
    chunks, start = [], None
    for i, tag in enumerate([*tags, "O"]):
        last = tags[i - 1] if i else "O"
        ends = last != "O" and (tag[0] in "OB" or tag[2:] != last[2:])
        starts = tag != "O" and (last == "O" or tag[0] == "B" or tag[2:] != last[2:])
        if ends:
            chunks.append((last[2:], start, i))
        if starts:
            start = i
    return chunks


SENTENCES = st.lists(st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(TAGS)), max_size=8), min_size=1)


@settings(max_examples=100, deadline=None)
@given(sentences=SENTENCES)
def test_scores_equal_conllevals(sentences):
    labels = [[true for true, _ in sentence] for sentence in sentences]
    guesses = [[guess for _, guess in sentence] for sentence in sentences]
    real, said = (
        {(i, *chunk) for i, tags in enumerate(column) for chunk in chunks_by_conlleval(tags)}
        for column in (labels, guesses)
    )
    scores, tp = entity_scores(labels, guesses), len(real & said)
    assert scores.support == len(real)
    assert scores.precision == pytest.approx(tp / len(said) if said else 0, abs=1e-12)
    assert scores.recall == pytest.approx(tp / len(real) if real else 0, abs=1e-12)
    assert scores.f1 == pytest.approx(2 * tp / (len(said) + len(real)) if said | real else 0, abs=1e-12)
    for kind, part in scores.by_type.items():
        assert part.support == sum(entity[1] == kind for entity in real)
    tallies = entity_tallies(labels, guesses)
    assert tallies.shape == (len(sentences), 3)
    assert f1_of_tallies(tallies) == pytest.approx(scores.f1, abs=1e-12)
    assert f1_of_tallies(np.stack([tallies, tallies])).shape == (2,)


def test_by_type():
    labels = [["B-PER", "I-PER", "O", "B-LOC"]]
    guesses = [["B-PER", "O", "O", "B-LOC"]]  # the person's end is wrong
    scores = entity_scores(labels, guesses)
    assert (scores.precision, scores.recall, scores.f1) == (0.5, 0.5, 0.5)
    assert scores.by_type["LOC"].f1 == 1
    assert scores.by_type["PER"].f1 == 0
    assert entity_f1(labels, labels) == 1


@pytest.mark.parametrize("tag", ["X", "B", "PER", "O-PER", "B-", "S-PER", 3])
def test_tags_that_are_none(tag):
    with pytest.raises(DataError, match=r"tag 1 is .* as in B-PER"):
        entities(["O", tag])


def test_sentences_that_do_not_fit():
    with pytest.raises(DataError, match="sentence 1 has 2 labels but 1 predictions"):
        entity_f1([["O"], ["O", "O"]], [["O"], ["O"]])
    for labels, guesses in (([["O"]], []), ([], [])):
        with pytest.raises(DataError, match="sentences"):
            entity_f1(labels, guesses)


def test_normalisation():
    assert normalise_answer("  The  Eiffel-Tower, in\tParis! ") == "eiffeltower in paris"
    assert normalise_answer("An apple a day; another theatre") == "apple day another theatre"
    assert normalise_answer("“Naïve” İ") == "“naïve” i̇"  # ASCII punctuation alone


@pytest.mark.parametrize(
    ("answers", "prediction", "em", "f"),
    [
        ("Denver Broncos", "the denver broncos.", 1, 1),
        ("Denver Broncos", "Broncos", 0, 2 / 3),
        (["Broncos", "Denver Broncos"], "Broncos", 1, 1),
        ("to be or not to be", "to to to", 0, 2 * 2 / (6 + 3)),  # counted as often as they occur
        ("Denver", "Boston", 0, 0),
        ([], "", 1, 1),
        ("", "", 1, 1),
        ("", "something", 0, 0),
        ("something", "", 0, 0),
        (["the", "Denver"], "", 0, 0),  # an answer of which nothing is left does not count beside others
        (["the"], "a", 1, 1),
    ],
)
def test_answers(answers, prediction, em, f):
    assert exact_match([answers], [prediction]) == em
    assert token_f1([answers], [prediction]) == pytest.approx(f, abs=1e-12)


def squads_own(answers, prediction):
    """(exact match, F1) of a question as SQuAD 2.0's evaluation script computes them, function by function."""

    def normalise(text):
        kept = "".join(c for c in text.lower() if c not in set(string.punctuation))
        return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())

    def f1(gold, guess):
        gold, guess = normalise(gold).split(), normalise(guess).split()
        same = sum((Counter(gold) & Counter(guess)).values())
        if not gold or not guess:
            return int(gold == guess)
        if same == 0:
            return 0
        precision, recall = same / len(guess), same / len(gold)
        return 2 * precision * recall / (precision + recall)

    golds = [text for text in answers if normalise(text)] or [""]
    return max(int(normalise(gold) == normalise(prediction)) for gold in golds), max(f1(g, prediction) for g in golds)


WORDS = ["the", "A", "cat", "Cat.", "sat", "-", "mat's", "an", "\n"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)


@settings(max_examples=200, deadline=None)
@given(questions=st.lists(st.tuples(st.lists(TEXTS, max_size=3), TEXTS), min_size=1, max_size=8))
def test_scores_equal_squads(questions):
    answers, predictions = [several for several, _ in questions], [guess for _, guess in questions]
    expected = np.array([squads_own(*question) for question in questions])
    np.testing.assert_array_equal(exact_matches(answers, predictions), expected[:, 0])
    np.testing.assert_allclose(token_f1s(answers, predictions), expected[:, 1], rtol=0, atol=1e-12)
    assert exact_match(answers, predictions) == pytest.approx(expected[:, 0].mean(), abs=1e-12)
    assert token_f1(answers, predictions) == pytest.approx(expected[:, 1].mean(), abs=1e-12)


def test_scores_of_each_question():
    answers, predictions = [["a cat"], ["dog"], ["big dog"]], ["cat", "cat", "dog"]
    np.testing.assert_array_equal(exact_matches(answers, predictions), [1, 0, 0])
    np.testing.assert_allclose(token_f1s(answers, predictions), [1, 0, 2 / 3], rtol=1e-15)
    assert token_f1(answers, predictions) == pytest.approx(5 / 9, abs=1e-12)


def test_answers_that_do_not_fit():
    with pytest.raises(DataError, match="2 questions with answers but 1 predictions"):
        exact_match(["a", "b"], ["a"])
    with pytest.raises(DataError, match="question 0"):
        token_f1([["a"]], [None])
    with pytest.raises(DataError, match="0 questions"):
        exact_match([], [])
