"""An answer to a question, found in a context: SQuAD's task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minibert.datasets.dataset import Dataset
from minibert.errors import DataError
from minibert.evaluation.task_metrics import ANSWERS, TaskMetric
from minibert.fields import short
from minibert.finetuning.answer_windows import Windows, answer_tokens, answer_windows
from minibert.finetuning.best_span import best_answer
from minibert.finetuning.tasks.base import Columns, Encoded, Task, filled_texts

if TYPE_CHECKING:
    from minibert.tokenizers.base import PretrainedTokenizer

ANSWER, NONE = "answer", "no answer"
SHARED = 3  # windows share a third of their tokens: 128 of 384, as in BERT's own script


class QuestionAnswering(Task):
    """The label names say what replies there are: ["answer"], or ["answer", "no answer"] as in SQuAD 2.0."""

    name = "question-answering"
    kind = "question-answering"
    peft_type = "QUESTION_ANS"
    columns = Columns("question", "context", "answers")
    longest = 384

    def inputs(self, dataset: Dataset) -> list[tuple[str, str]]:
        """Return (question, context)."""
        questions, contexts = (filled_texts(dataset, column) for column in self.columns[:2])
        return list(zip(questions, contexts, strict=True))

    def label_names(self, dataset: Dataset) -> list[str]:
        """Return the replies that there are."""
        answers = self.truth(dataset, [ANSWER, NONE])
        if not any(answer["text"] for answer in answers):
            raise DataError(f"no question of column {self.columns.label!r} has an answer: there is nothing to learn")
        return [ANSWER] if all(answer["text"] for answer in answers) else [ANSWER, NONE]

    def truth(self, dataset: Dataset, names: list[str]) -> list[dict[str, list]]:
        """Return {"text": [...], "answer_start": [...]} of each question."""
        found, contexts = dataset[self.columns.label], dataset[self.columns.pair]
        for i, (answer, context) in enumerate(zip(found, contexts, strict=True)):
            where = f"row {i} of column {self.columns.label!r}"
            _check_answer(answer, context, where)
            if not answer["text"] and NONE not in names:
                raise DataError(f"{where} has no answer, but the model always gives one")
        return found

    def config(self, names: list[str]) -> dict[str, Any]:
        """Return the number of scores a token gets: as a start, and as an end."""
        return {"num_labels": 2}

    def encode(self, tokenizer: PretrainedTokenizer, inputs: list, max_length: int) -> Encoded:
        """Return a row a window: a long context takes several, so nothing is cut off."""
        questions, contexts = zip(*inputs, strict=True)
        _check_questions(tokenizer, questions, max_length)
        windows = answer_windows(tokenizer, questions, contexts, max_length, max_length // SHARED)
        return Encoded(windows.encoding.data, 0, (windows, contexts))

    def targets(self, encoded: Encoded, truth: list[dict[str, list]], names: list[str]) -> dict[str, list]:
        """Return the first and the last token of the first answer in each window."""
        windows: Windows = encoded.about[0]
        places = []
        for owner, offsets, inside in zip(windows.owners, windows.offsets, windows.in_context, strict=True):
            answer = truth[owner]
            span = None
            if answer["text"]:
                begin = answer["answer_start"][0]
                span = (begin, begin + len(answer["text"][0]))
            places.append(answer_tokens(offsets, inside, span))
        return {"start_positions": [start for start, _ in places], "end_positions": [end for _, end in places]}

    def predictions(self, encoded: Encoded, scores: tuple[np.ndarray, np.ndarray], names: list[str]) -> list[str]:
        """Return the text of each answer."""
        windows, contexts = encoded.about
        rows: list[list[int]] = [[] for _ in contexts]
        for row, owner in enumerate(windows.owners):
            rows[owner].append(row)
        threshold = 0.0 if NONE in names else None
        return [self._best(windows, scores, mine, contexts[i], threshold) for i, mine in enumerate(rows)]

    @staticmethod
    def _best(windows: Windows, scores: tuple, rows: list[int], context: str, threshold: float | None) -> str:
        starts, ends = (part[rows] for part in scores)  # (W, T)
        T = starts.shape[1]
        offsets = [windows.offsets[row][:T] for row in rows]
        inside = [windows.in_context[row][:T] for row in rows]
        return best_answer(starts, ends, offsets, inside, context, null_threshold=threshold).text

    def metrics(self, names: list[str]) -> tuple[TaskMetric, ...]:
        """Token F1 and exact match."""
        return ANSWERS

    def answer(self, prediction: str, given: Any, names: list[str]) -> dict[str, Any]:
        """Return the text."""
        return {"answer": prediction}


def _check_answer(answer: Any, context: str, where: str) -> None:
    """Raise `DataError` if an answer is none, or does not stand in its context where it is said to."""
    texts, starts = (answer.get(name) if isinstance(answer, dict) else None for name in ("text", "answer_start"))
    if not (_all_are(str, texts) and _all_are(int, starts) and len(texts) == len(starts)):
        raise DataError(f'{where} must be {{"text": [...], "answer_start": [...]}}, as SQuAD has it')
    for text, start in zip(texts, starts, strict=True):
        if not text or start < 0 or context[start : start + len(text)] != text:
            raise DataError(f"{where}: the context has no {short(text)} at character {start}, where it should be")


def _all_are(kind: type, values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is kind for value in values)


def _check_questions(tokenizer: PretrainedTokenizer, questions: Sequence[str], max_length: int) -> None:
    """Raise `DataError` if a question leaves no room for more of its context than windows share."""
    special = tokenizer.backend_tokenizer.num_special_tokens_to_add(True)
    room = max_length - special - max_length // SHARED - 1
    for i, ids in enumerate(tokenizer(list(questions), add_special_tokens=False)["input_ids"]):
        if len(ids) > room:
            raise DataError(
                f"question {i} has {len(ids)} tokens, but rows of {max_length} have room for {max(room, 0)} beside the "
                "context: shorten it, or allow longer rows"
            )
