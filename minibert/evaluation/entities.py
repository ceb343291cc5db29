"""Named entities in BIO tags: an entity is right if its type and both of its ends are.

`B-PER` begins an entity of type PER, `I-PER` goes on inside it, `O` is outside of any. The definition is that of the
CoNLL-2000 and 2003 shared tasks' `conlleval` (and of seqeval's default), which forgives a missing B: an `I-PER` that
does not continue a PER begins one. So `O I-PER I-PER` and `O B-PER I-PER` are the same entity, and `B-LOC I-PER` are
two.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minibert.errors import DataError


class Entity(NamedTuple):
    """Words start .. stop - 1 of a sentence."""

    type: str
    start: int
    stop: int


class EntityScores(NamedTuple):
    """Precision, recall and F1 over all entities (micro), how many there are, and the same by type."""

    precision: float
    recall: float
    f1: float
    support: int
    by_type: dict[str, "EntityScores"]


def entities(tags: Sequence[str]) -> list[Entity]:
    """Return the entities of a sentence's tags, in order.

    Raises
    ------
    DataError
        A tag is none of O, B-type, I-type.
    """
    found: list[Entity] = []
    for i, tag in enumerate(tags):
        mark, kind = _parse(tag, i)
        continues = mark == "I" and found and found[-1].type == kind and found[-1].stop == i
        if continues:
            found[-1] = found[-1]._replace(stop=i + 1)
        elif mark != "O":
            found.append(Entity(kind, i, i + 1))
    return found


def entity_scores(labels: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]]) -> EntityScores:
    """precision = tp / said, recall = tp / real, F1 = 2 tp / (said + real);  0 where that is 0 / 0.

    tp counts the entities that are both said and real: same sentence, type, start and stop.

    Parameters
    ----------
    labels, predictions : N sentences of tags each
        Leave out positions that are no words (special tokens, later pieces of a word) before.

    Raises
    ------
    DataError
        Sentences differ in number or length, there is none, or a tag is none.
    """
    counts = entity_counts(labels, predictions)
    kinds = sorted({kind for sentence in counts for kind in sentence})
    totals = {kind: sum(sentence.get(kind, np.zeros(3, int)) for sentence in counts) for kind in kinds}
    by_type = {kind: _scores(*totals[kind], {}) for kind in kinds}
    return _scores(*sum(totals.values(), np.zeros(3, int)), by_type)


def entity_f1(labels: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]]) -> float:
    """F1 = 2 tp / (said + real) over all entities: see `entity_scores`."""
    return entity_scores(labels, predictions).f1


def entity_tallies(labels: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]]) -> np.ndarray:
    """Return (N, 3): tp, said and real of each sentence, over all types. For a bootstrap over sentences:

    `bootstrap(f1_of_tallies, entity_tallies(labels, predictions), vectorized=True)`.
    """
    none = np.zeros(3, int)
    return np.array([sum(sentence.values(), none) for sentence in entity_counts(labels, predictions)])


def f1_of_tallies(tallies: np.ndarray) -> np.ndarray:
    """Return the F1 of what (..., N, 3) add up to over N: (...)."""
    tp, said, real = np.moveaxis(tallies.sum(-2), -1, 0)  # each (...)
    return 2 * tp / np.maximum(said + real, 1)  # without any entity tp is 0, too


def entity_counts(labels: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]]) -> list[dict[str, np.ndarray]]:
    """Return for each sentence {type: (tp, said, real)}."""
    if len(labels) != len(predictions) or not len(labels):
        raise DataError(f"there are {len(labels)} sentences of labels but {len(predictions)} of predictions")
    counts = []
    for i, (true, guess) in enumerate(zip(labels, predictions, strict=True)):
        if len(true) != len(guess):
            raise DataError(f"sentence {i} has {len(true)} labels but {len(guess)} predictions")
        real, said = set(entities(true)), set(entities(guess))
        groups = (real & said, said, real)
        kinds = {entity.type for entity in real | said}
        counts.append({k: np.array([sum(e.type == k for e in group) for group in groups]) for k in kinds})
    return counts


def _parse(tag: str, i: int) -> tuple[str, str]:
    mark, _, kind = str(tag).partition("-")
    if mark not in ("B", "I", "O") or (mark == "O" and kind) or (mark != "O" and not kind):
        raise DataError(f"tag {i} is {tag!r}; it must be O, or B- or I- and a type, as in B-PER")
    return mark, kind


def _scores(tp: int, said: int, real: int, by_type: dict[str, EntityScores]) -> EntityScores:
    ratios = [float(part / whole) if whole else 0.0 for part, whole in ((tp, said), (tp, real), (2 * tp, said + real))]
    return EntityScores(*ratios, int(real), by_type)
